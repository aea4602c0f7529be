#!lua flags=allow-oom
-- conn_state: moves a connection between active, paused and disconnected. Whenever it is not active,
-- waiting orders stay and the next permit of every live lease says so. Resumed: they go on, and what
-- held the connection back is forgotten.
-- ARGV: 1 connection  2 'paused', 'active' or 'disconnected'  3 who, and for 'disconnected'
--   4 sentence  5 grant that Xero refused, or ''
-- Returns {'ok', changed 0|1}, {'none'}, or {'not', present status}: what is disconnected becomes active
-- by conn_link only. A refused grant that is not the connection's any more changes nothing.
-- Sent twice: the second changes nothing.
local C, to, sentence, refused = ARGV[1], ARGV[2], ARGV[4] or '', ARGV[5] or ''
local key = P .. 'conn:' .. C
local c = redis.call('HMGET', key, 'status', 'kind', 'consent', 'grant')
local status = c[1]
if not status then return { 'none' } end
if status == to then return { 'ok', 0 } end
if status == 'uninstalled' or (status == 'disconnected' and to ~= 'disconnected') then return { 'not', status } end
local grant = c[4] and c[4] ~= '' and c[4] or 'default'
if c[2] == 'authorization_code' then grant = c[3] end
if refused ~= '' and refused ~= grant then return { 'ok', 0 } end
redis.call('HSET', key, 'status', to)
redis.call('HDEL', key, 'nb', 'why')
redis.call('HINCRBY', key, 'version', 1)
local what = { paused = 'pause', active = 'resume', disconnected = 'disconnect' }
audit(ARGV[3], what[to], 'connection ' .. C, status, to)
if to == 'disconnected' then
  redis.call('HSET', key, 'dropped', sentence)
  log_add(C, 'error', '', '', 'disconnected', 'Xero connection has been dropped: ' .. sentence)
else
  log_add(C, 'info', '', '', to == 'paused' and 'paused' or 'resumed',
    to == 'paused' and 'The connection was paused; orders wait.' or 'The connection was resumed; waiting orders go on.')
end
relane_and_ring(C)
return { 'ok', 1 }
