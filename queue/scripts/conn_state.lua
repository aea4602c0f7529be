#!lua flags=allow-oom
-- conn_state: pauses or resumes a connection. Paused: waiting orders stay, the next permit of every
-- live lease says so. Resumed: they go on, and what held the connection back is forgotten.
-- ARGV: 1 connection  2 'paused' or 'active'  3 who
-- Returns {'ok'}, {'none'}, or {'not', present status}.
-- Sent twice: the second changes nothing.
local C, to = ARGV[1], ARGV[2]
local key = P .. 'conn:' .. C
local status = redis.call('HGET', key, 'status')
if not status then return { 'none' } end
if status == to then return { 'ok' } end
if status ~= 'active' and status ~= 'paused' then return { 'not', status } end
redis.call('HSET', key, 'status', to)
redis.call('HDEL', key, 'nb', 'why')
redis.call('HINCRBY', key, 'version', 1)
audit(ARGV[3], to == 'paused' and 'pause' or 'resume', 'connection ' .. C, status, to)
log_add(C, 'info', '', '', to == 'paused' and 'paused' or 'resumed',
  to == 'paused' and 'The connection was paused; orders wait.' or 'The connection was resumed; waiting orders go on.')
relane_and_ring(C)
return { 'ok' }
