#!lua
-- note: one line of a connection's log for what concerns no single order.
-- ARGV: 1 connection  2 level  3 store key  4 event  5 message
-- Returns 1.
-- Sent twice: the line stands there twice.
log_add(ARGV[1], ARGV[2], ARGV[3], '', ARGV[4], ARGV[5])
return 1
