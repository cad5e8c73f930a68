"""What Python programs do all day: dictionaries, text, classes, sorting, generators, JSON, regular expressions.

Prints one digest per task, the same in every run. usage: work.py [ROUNDS]
"""

import collections
import hashlib
import heapq
import json
import random
import re
import sys


class Node:
    """A node of a binary tree."""

    def __init__(self, key, value):
        self.key, self.value = key, value
        self.left = self.right = None

    def insert(self, key, value):
        node = self
        while key != node.key:
            side = "left" if key < node.key else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Node(key, value))
                return
            node = child
        node.value = value

    def walk(self):
        if self.left:
            yield from self.left.walk()
        yield self.key, self.value
        if self.right:
            yield from self.right.walk()


def draw_words(rng, count):
    return ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(count)]


def count_words(rng):
    counter = collections.Counter(draw_words(rng, 20000))
    return [f"{word}:{n}" for word, n in sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:200]]


def tree(rng):
    root = Node(500000, "root")
    for i in range(8000):
        root.insert(rng.randrange(1000000), f"value {i}")
    return [f"{key}={value}" for key, value in root.walk()]


def documents(rng):
    rows = [{"id": i, "tags": draw_words(rng, 4), "price": rng.randrange(10**6) / 100,
             "nested": {"city": rng.choice(["Ulm", "Bonn", "Jena"]), "ok": i % 3 == 0}} for i in range(3000)]
    again = json.loads(json.dumps(rows))
    groups = collections.defaultdict(list)
    for row in again:
        groups[row["nested"]["city"]].append(row["price"])
    return [f"{city} {len(prices)} {sum(prices):.2f}" for city, prices in sorted(groups.items())]


def patterns(rng):
    lines = [f"{rng.randrange(256)}.{rng.randrange(256)} user={word} id={i}" for i, word in
             enumerate(draw_words(rng, 8000))]
    pattern = re.compile(r"^(\d+)\.(\d+) user=(\w*ab\w*) id=(\d+)$", re.MULTILINE)
    return ["/".join(match) for match in pattern.findall("\n".join(lines))]


def shortest_paths(rng):
    graph = {i: [(rng.randrange(3000), rng.randint(1, 99)) for _ in range(5)] for i in range(3000)}
    best, queue = {}, [(0, 0)]
    while queue:
        cost, node = heapq.heappop(queue)
        if node in best:
            continue
        best[node] = cost
        for target, length in graph[node]:
            heapq.heappush(queue, (cost + length, target))
    return [str(item) for item in sorted(best.items())]


def big_numbers(rng):
    a, b, out = rng.getrandbits(4000), rng.getrandbits(3000), []
    for _ in range(60):
        a, b = a * b % (1 << 6000) + 1, a ^ (b << 7)
        out.append(str(a % 1000003))
    return out


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    for number in range(rounds):
        for task in (count_words, tree, documents, patterns, shortest_paths, big_numbers):
            result = task(random.Random(number))
            digest = hashlib.sha256("\n".join(result).encode()).hexdigest()[:16]
            print(number, task.__name__, len(result), digest)


if __name__ == "__main__":
    main()
