-- An order book: filled by recursion, indexed, asked, changed and asked again. Prints what it finds.
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, day INTEGER, cents INTEGER, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO customers SELECT i, printf('%s-%04x', substr('ambercedarfalconhazelmaplequartz', i % 26 + 1, 6), i * 40503 % 65536),
       substr('UlmBonnJenaKielTrier', i % 5 * 4 + 1, 4) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO orders SELECT i, i * 7919 % 5000 + 1, i / 200, i * 104729 % 90000 + 99,
       printf('order %d for day %d, %s', i, i / 200, hex(i * 2654435761 % 4294967296)) FROM n;
COMMIT;
CREATE INDEX orders_by_customer ON orders(customer, day);
CREATE INDEX customers_by_name ON customers(name);
SELECT city, count(*), sum(cents), max(cents) FROM orders JOIN customers ON customers.id = customer GROUP BY city ORDER BY city;
SELECT name, total, rank() OVER (ORDER BY total DESC) FROM
  (SELECT name, sum(cents) AS total FROM customers JOIN orders ON customer = customers.id GROUP BY customers.id)
  ORDER BY total DESC, name LIMIT 20;
SELECT day, group_concat(upper(substr(note, 1, 8)), '|') FROM orders WHERE note LIKE '%FF%' AND day % 20 = 0 GROUP BY day ORDER BY day;
SELECT a.name, b.name FROM customers a JOIN customers b ON b.name > a.name AND b.city = a.city AND b.id = a.id + 5
  ORDER BY a.name, b.name LIMIT 20;
BEGIN;
UPDATE orders SET note = replace(note, 'order', 'delivery') || ' closed', cents = cents + 1 WHERE day < 150;
DELETE FROM orders WHERE id % 7 = 0;
COMMIT;
CREATE TABLE archive AS SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer ORDER BY c.name, o.id;
SELECT count(*), sum(length(note)), min(name), max(name) FROM archive;
SELECT substr(note, -12), count(*) FROM archive GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10;
PRAGMA integrity_check;
