#!lua flags=allow-oom
-- grant: one consent and its token: read it, take and give back the right to refresh it, replace it.
-- ARGV: 1 grant  2 what: get | begin | store | abandon | expire | put, and for
--   begin: 3 version  4 holder  5 ms     store: 3 version  4 holder  5 sealed token  6 valid for ms
--   abandon: 3 holder                    expire: 3 version    put: 3 kind  4 client id  5 sealed secret
-- Returns {} when there is no such grant, else {1 (done) or 0 (not, by version or holder), version,
-- ms that the token is still valid, client id, sealed secret, sealed token}.
-- Sent twice: get, abandon, expire change nothing more; begin finds its own holder; store finds the
-- very token it stored; put makes the version move once more, and the token is asked for anew.
local key, what = P .. 'grant:' .. ARGV[1], ARGV[2]
local g = redis.call('HMGET', key, 'version', 'expires', 'client_id', 'secret', 'access', 'holder', 'until')
local version, holder = g[1], g[6]
if not version and what ~= 'put' then return {} end
local done = 1

if what == 'begin' then
  local taken = holder and holder ~= ARGV[4] and tonumber(g[7]) > now
  if version == ARGV[3] and not taken then
    redis.call('HSET', key, 'holder', ARGV[4], 'until', now + tonumber(ARGV[5]))
  else
    done = 0
  end
elseif what == 'store' then
  if version == ARGV[3] then
    redis.call('HINCRBY', key, 'version', 1)
    redis.call('HSET', key, 'access', ARGV[5], 'expires', now + tonumber(ARGV[6]))
  elseif g[5] ~= ARGV[5] then
    done = 0
  end
  if holder == ARGV[4] then redis.call('HDEL', key, 'holder', 'until') end
elseif what == 'abandon' then
  if holder == ARGV[3] then redis.call('HDEL', key, 'holder', 'until') end
elseif what == 'expire' then
  if version == ARGV[3] then redis.call('HDEL', key, 'access', 'expires') end
elseif what == 'put' then
  redis.call('HINCRBY', key, 'version', 1)
  redis.call('HSET', key, 'kind', ARGV[3], 'client_id', ARGV[4], 'secret', ARGV[5])
  redis.call('HDEL', key, 'access', 'expires', 'holder', 'until')
end

g = redis.call('HMGET', key, 'version', 'expires', 'client_id', 'secret', 'access')
local left = g[2] and math.max(0, tonumber(g[2]) - now) or 0
return { done, g[1], string.format('%d', left), g[3] or '', g[4] or '', g[5] or '' }
