// The Lua programs that the lua workload runs: each a global function of an integer, which draws
// its own numbers from it and returns an integer or a string. Nothing in them depends on the order
// of pairs(), which follows addresses.
#pragma once

namespace workloads {

inline constexpr const char* kLuaProgramNames[] = {"words",   "trees", "accounts", "pipeline",
                                                   "records", "rope",  "cache"};

inline constexpr const char* kLuaPrograms = R"lua(
local function generator(seed)
  local state = seed * 2654435761 % 4294967296
  return function(limit)
    state = (state * 1664525 + 1013904223) % 4294967296
    return state // 65536 % limit + 1
  end
end

local syllables = {"ka", "lo", "mi", "ter", "san", "vo", "ri", "del"}
local function word(draw)
  local parts = {}
  for i = 1, draw(3) + 1 do parts[i] = syllables[draw(#syllables)] end
  return table.concat(parts)
end

-- A text of words, counted and reported in order.
function words(seed)
  local draw, text = generator(seed), {}
  for i = 1, 600 do text[i] = word(draw) end
  local count, order = {}, {}
  for w in table.concat(text, " "):gmatch("%a+") do
    if not count[w] then order[#order + 1] = w end
    count[w] = (count[w] or 0) + 1
  end
  table.sort(order, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a < b
  end)
  local report = {}
  for i, w in ipairs(order) do report[i] = string.format("%s=%d", w:upper(), count[w]) end
  return table.concat(report, ",")
end

-- Binary trees, built and walked.
local function tree(depth)
  if depth == 0 then return {value = 1} end
  return {left = tree(depth - 1), right = tree(depth - 1), value = depth}
end
local function sum(node)
  if not node.left then return node.value end
  return node.value + sum(node.left) + sum(node.right)
end
function trees(seed)
  local total = seed % 7
  for i = 1, 4 do total = total + sum(tree(7)) end
  return total
end

-- Objects with methods, private state in closures, and an inherited class.
local Account = {}
Account.__index = Account
function Account.new(owner)
  local history = {}
  local self = setmetatable({owner = owner, balance = 0}, Account)
  self.note = function(amount) history[#history + 1] = amount; return #history end
  self.history = function() return history end
  return self
end
function Account:deposit(amount) self.balance = self.balance + amount; return self.note(amount) end
local Savings = setmetatable({}, {__index = Account})
Savings.__index = Savings
function Savings.new(owner, rate)
  local self = setmetatable(Account.new(owner), Savings)
  self.rate = rate
  return self
end
function Savings:close_year() return self:deposit(self.balance * self.rate // 100) end
function accounts(seed)
  local draw, all = generator(seed), {}
  for i = 1, 60 do
    all[i] = i % 3 == 0 and Savings.new(word(draw), draw(5)) or Account.new(word(draw))
  end
  for i = 1, 600 do all[draw(#all)]:deposit(draw(1000)) end
  local total = 0
  for _, account in ipairs(all) do
    if account.close_year then account:close_year() end
    total = total + account.balance * #account.history() + #account.owner
  end
  return total
end

-- Coroutines chained to a sieve.
local function numbers(limit)
  return coroutine.wrap(function() for i = 2, limit do coroutine.yield(i) end end)
end
local function without_multiples(prime, source)
  return coroutine.wrap(function()
    for n in source do if n % prime ~= 0 then coroutine.yield(n) end end
  end)
end
function pipeline(seed)
  local source, total = numbers(150 + seed % 8), 0
  while true do
    local prime = source()
    if not prime then return total end
    total = total + prime
    source = without_multiples(prime, source)
  end
end

-- Comma-separated rows read to records, grouped, and formatted.
function records(seed)
  local draw, lines = generator(seed), {}
  for i = 1, 150 do
    lines[i] = table.concat({i, word(draw), draw(10000) / 4, word(draw), "x" .. draw(9)}, ",")
  end
  local groups, names = {}, {}
  for line in table.concat(lines, "\n"):gmatch("[^\n]+") do
    local id, name, price, town, class = line:match("^(%d+),(%a+),([%d.]+),(%a+),(x%d)$")
    local record = {id = tonumber(id), name = name, price = tonumber(price), town = town}
    if not groups[class] then groups[class] = {}; names[#names + 1] = class end
    table.insert(groups[class], record)
  end
  table.sort(names)
  local out = {}
  for _, class in ipairs(names) do
    table.sort(groups[class], function(a, b) return a.id > b.id end)
    for _, r in ipairs(groups[class]) do
      out[#out + 1] = ("%-4s %5d %10.2f %s"):format(class, r.id, r.price, r.name:rep(2, "/"))
    end
  end
  return table.concat(out, "\n")
end

-- A string that grows by appending, as beginners write it.
function rope(seed)
  local draw, text = generator(seed), ""
  for i = 1, 250 do text = text .. word(draw) .. (i % 10 == 0 and "\n" or " ") end
  return (text:gsub("san", function(s) return s:reverse() end))
end

-- A table that lives on from call to call and forgets its oldest keys.
local store, queue, first = {}, {}, 1
function cache(seed)
  local draw, hits = generator(seed), 0
  for i = 1, 300 do
    local key = "key:" .. draw(6000)
    if store[key] then
      hits = hits + #store[key]
    else
      store[key] = {word(draw), word(draw), draw(100)}
      queue[#queue + 1] = key
    end
  end
  while #queue - first >= 2000 do
    store[queue[first]] = nil
    queue[first] = false
    first = first + 1
  end
  if first > 4000 then
    queue = table.move(queue, first, #queue, 1, {})
    first = 1
  end
  return hits
end
)lua";

}  // namespace workloads
