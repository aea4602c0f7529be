#!lua
-- task_add: hands one task to the workers.
-- KEYS[1] prefix. ARGV: task id, kind, input (JSON). Returns 1, or 0 if it is there already.
-- Sent twice: the id is made by the caller, a task that exists is left alone.
local id, kind, input = ARGV[1], ARGV[2], ARGV[3]
local key = P .. 'task:' .. id

if redis.call('EXISTS', key) == 1 then
  return 0
end
redis.call('HSET', key, 'kind', kind, 'input', input, 'status', 'waiting', 'attempts', 0)
redis.call('ZADD', P .. 'tasks', now, id)
ring()
return 1
