#!lua flags=allow-oom
-- task_lease: gives the task that is due for longest to one worker.
-- KEYS[1] prefix. ARGV: length of the lease in ms.
-- Returns {id, kind, input, attempt}, or {} when none is due. A task leased five times without an
-- end has killed its workers and is failed.
-- Sent twice: the second sending takes the next task; the first one's comes back when its lease ends.
local lease_ms = tonumber(ARGV[1])
local tasks = P .. 'tasks'

while true do
  local id = redis.call('ZRANGE', tasks, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
  if not id then
    return {}
  end
  local key = P .. 'task:' .. id
  local task = redis.call('HMGET', key, 'kind', 'input', 'attempts')
  local attempt = tonumber(task[3] or 0) + 1
  if task[1] and attempt <= 5 then
    redis.call('HSET', key, 'status', 'running', 'attempts', attempt)
    redis.call('ZADD', tasks, now + lease_ms, id)
    return {id, task[1], task[2], attempt}
  end
  redis.call('ZREM', tasks, id)
  if task[1] then
    redis.call('HSET', key, 'status', 'failed', 'result',
        '{"error":"The workers that took this task ended before it was done."}')
    redis.call('HDEL', key, 'input')
    redis.call('EXPIRE', key, 86400)
  end
end
