#!lua flags=allow-oom
-- task_done: ends a task; its answer stays for a day.
-- KEYS[1] prefix. ARGV: task id, attempt (as leased), status, result (JSON).
-- Returns 1, or 0 when the lease is no longer the caller's.
-- Sent twice: the same end is recognised by its attempt and status, and answered 1 again.
local id, attempt, status, result = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = P .. 'task:' .. id
local task = redis.call('HMGET', key, 'attempts', 'status')

if task[1] ~= attempt then
  return 0
end
if task[2] ~= 'running' then
  return task[2] == status and 1 or 0
end
redis.call('HSET', key, 'status', status, 'result', result)
redis.call('HDEL', key, 'input')
redis.call('EXPIRE', key, 86400)
redis.call('ZREM', P .. 'tasks', id)
return 1
