#!lua flags=allow-oom
-- client_hold: holds every connection of one client (Xero takes its id or secret for wrong: an operator
-- has to mend that, and none is disconnected by it), or lets them go again.
-- ARGV: 1 grant of the client  2 ms, 0 lets them go  3 why
-- Returns how many connections have this client.
-- Sent twice: the second holds them for as long.
local grant, ms, why, n = ARGV[1], tonumber(ARGV[2]), ARGV[3], 0
for _, C in ipairs(redis.call('SMEMBERS', P .. 'conns')) do
  local key = P .. 'conn:' .. C
  local c = redis.call('HMGET', key, 'grant', 'status', 'nb', 'why')
  if (c[1] and c[1] ~= '' and c[1] or 'default') == grant and c[2] == 'active' then
    n = n + 1
    if ms > 0 then
      redis.call('HSET', key, 'nb', string.format('%d', math.max(now + ms, tonumber(c[3] or 0))), 'why', why)
      if c[4] ~= why then log_add(C, 'error', '', '', 'connection_held', why) end
    else
      redis.call('HDEL', key, 'nb', 'why')
    end
    relane_and_ring(C)
  end
end
return n
