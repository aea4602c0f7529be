#!lua
-- consent: the state of one way through Xero's consent page: made when it begins, taken once when the
-- browser comes back; then the code goes to a worker as a task.
-- ARGV: 1 'begin'  2 state  3 ms that it lives  4 connection  5 what the worker needs to know (JSON
--         members without braces)
--       1 'end'  2 state  3 task id  4 sealed code, '' if the person refused
--       1 'failed'  2 connection  3 sentence: a worker could not use the code
-- Returns 1; for 'end' {connection, 1 if a task was made}, or {} when there is no such state (any more).
-- Sent twice: 'begin' writes the same again; 'end' recognises its task, and a refusal finds nothing;
-- 'failed' stands twice in the log.
if ARGV[1] == 'failed' then
  log_add(ARGV[2], 'error', '', '', 'consent_failed', 'The consent connected nothing: ' .. ARGV[3])
  return 1
end
local key = P .. 'consent:' .. ARGV[2]
if ARGV[1] == 'begin' then
  redis.call('HSET', key, 'connection', ARGV[4], 'about', ARGV[5])
  redis.call('PEXPIRE', key, ARGV[3])
  return 1
end
local task = P .. 'task:' .. ARGV[3]
local made = redis.call('HGET', task, 'connection')
if made then return { made, 1 } end
local s = redis.call('HMGET', key, 'connection', 'about')
if not s[1] then return {} end
redis.call('DEL', key)
if ARGV[4] == '' then
  log_add(s[1], 'error', '', '', 'consent_refused', 'The consent was refused in Xero; nothing was changed.')
  return { s[1], 0 }
end
redis.call('HSET', task, 'kind', 'consent', 'status', 'waiting', 'attempts', 0, 'connection', s[1], 'input',
  '{"connection":"' .. s[1] .. '","state":"' .. ARGV[2] .. '","code":"' .. ARGV[4] .. '",' .. s[2] .. '}')
redis.call('ZADD', P .. 'tasks', now, ARGV[3])
ring()
return { s[1], 1 }
