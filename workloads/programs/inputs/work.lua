-- Tables, strings, closures, objects and coroutines; prints one line a task. usage: work.lua [ROUNDS]
local function generator(seed)
  local state = seed
  return function(limit)
    state = (state * 1664525 + 1013904223) % 4294967296
    return state // 65536 % limit + 1
  end
end

local function word(draw)
  local letters = {}
  for i = 1, draw(8) + 1 do letters[i] = string.char(96 + draw(26)) end
  return table.concat(letters)
end

local function digest(text)
  local sum = 5381
  for i = 1, #text do sum = (sum * 33 + text:byte(i)) % 4294967296 end
  return sum
end

local tasks = {}

function tasks.index(draw)
  local places, order = {}, {}
  for i = 1, 20000 do
    local w = word(draw):sub(1, 3)
    if not places[w] then places[w] = {}; order[#order + 1] = w end
    table.insert(places[w], i)
  end
  table.sort(order)
  local out = {}
  for i, w in ipairs(order) do out[i] = w .. ":" .. #places[w] .. ":" .. places[w][1] end
  return table.concat(out, " ")
end

function tasks.life(draw)
  local size, grid = 64, {}
  for y = 1, size do
    grid[y] = {}
    for x = 1, size do grid[y][x] = draw(3) == 1 and 1 or 0 end
  end
  for _ = 1, 12 do
    local next_grid = {}
    for y = 1, size do
      local row = {}
      for x = 1, size do
        local sum = 0
        for dy = -1, 1 do
          local other = grid[(y + dy - 1) % size + 1]
          for dx = -1, 1 do sum = sum + other[(x + dx - 1) % size + 1] end
        end
        row[x] = (sum == 3 or (sum == 4 and grid[y][x] == 1)) and 1 or 0
      end
      next_grid[y] = row
    end
    grid = next_grid
  end
  local rows = {}
  for y = 1, size do rows[y] = table.concat(grid[y]) end
  return table.concat(rows, "\n")
end

function tasks.objects(draw)
  local Shape = {}
  Shape.__index = Shape
  function Shape.new(kind, size) return setmetatable({kind = kind, size = size, log = {}}, Shape) end
  function Shape:grow(by)
    self.size = self.size + by
    self.log[#self.log + 1] = {by = by, why = self.kind .. self.size}
    if #self.log > 8 then self.log = {} end
  end
  local shapes, total = {}, 0
  for i = 1, 3000 do shapes[i] = Shape.new(word(draw), draw(100)) end
  for _ = 1, 30000 do shapes[draw(#shapes)]:grow(draw(10)) end
  for _, shape in ipairs(shapes) do total = total + shape.size * #shape.log end
  return tostring(total)
end

function tasks.text(draw)
  local lines = {}
  for i = 1, 4000 do lines[i] = ("%05d;%s;%s;%.2f"):format(i, word(draw), word(draw), draw(100000) / 100) end
  local sum, names = 0, {}
  for id, first, second, price in table.concat(lines, "\n"):gmatch("(%d+);(%a+);(%a+);([%d.]+)") do
    sum = sum + tonumber(price)
    names[#names + 1] = (first .. " " .. second):gsub("%f[%a]%a", string.upper)
  end
  return ("%.2f "):format(sum) .. table.concat(names, ",")
end

function tasks.streams(draw)
  local function source(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(word(draw)) end end) end
  local function chunks(input, size)
    return coroutine.wrap(function()
      local chunk = {}
      for item in input do
        chunk[#chunk + 1] = item
        if #chunk == size then coroutine.yield(chunk); chunk = {} end
      end
    end)
  end
  local out = {}
  for chunk in chunks(source(15000), 5) do out[#out + 1] = chunk[1] .. #table.concat(chunk) end
  return table.concat(out)
end

for round = 1, tonumber(arg[1]) or 2 do
  for _, name in ipairs({"index", "life", "objects", "text", "streams"}) do
    print(round, name, digest(tasks[name](generator(round))))
  end
end
