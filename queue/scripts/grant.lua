#!lua flags=allow-oom
-- grant: one client's pair, or one consent with its set of tokens: read it, take and give back the right
-- to refresh it, replace it. A consent takes the pair from the grant of its client.
-- ARGV: 1 grant  2 what: get | begin | store | abandon | expire | put | consent | reseal | forget, and for
--   begin: 3 version  4 holder  5 ms       store: 3 version  4 holder  5 sealed token  6 valid for ms
--     7 sealed refresh token or ''         abandon: 3 holder    expire: 3 version
--   put: 3 kind  4 client id  5 sealed secret  6 order of entry or ''; one that was entered before what is
--     there changes nothing
--   consent: 3 grant of its client  4 sealed token
--     5 valid for ms  6 sealed refresh token     reseal: 3 field  4 sealed text  5 the same, sealed anew
-- Returns {} when there is no such grant, else {1 (done) or 0 (not, by version or holder), version,
-- ms that the token is still valid, client id, sealed secret, sealed token, kind, grant of the client,
-- sealed refresh token, the one before it, ms since it was replaced}.
-- Sent twice: get, abandon, expire, reseal, forget change nothing more; begin finds its own holder;
-- store and consent find the very token they stored; put makes the version move once more, and the
-- token is asked for anew.
local id, what = ARGV[1], ARGV[2]
local key = P .. 'grant:' .. id
local g = redis.call('HMGET', key, 'version', 'access', 'holder', 'until', 'refresh')
local version, access, holder = g[1], g[2], g[3]
local makes = what == 'put' or what == 'consent'
if not version and not makes then return {} end
local done = 1
if makes then redis.call('SADD', P .. 'grants', id) end

if what == 'begin' then
  local taken = holder and holder ~= ARGV[4] and tonumber(g[4]) > now
  if version == ARGV[3] and not taken then
    redis.call('HSET', key, 'holder', ARGV[4], 'until', now + tonumber(ARGV[5]))
  else
    done = 0
  end
elseif what == 'store' then
  if version == ARGV[3] then
    redis.call('HINCRBY', key, 'version', 1)
    redis.call('HSET', key, 'access', ARGV[5], 'expires', now + tonumber(ARGV[6]))
    if ARGV[7] ~= '' then
      redis.call('HSET', key, 'previous', g[5] or '', 'refresh', ARGV[7], 'rotated', now)
    end
  elseif access ~= ARGV[5] then
    done = 0
  end
  if holder == ARGV[4] then redis.call('HDEL', key, 'holder', 'until') end
elseif what == 'abandon' then
  if holder == ARGV[3] then redis.call('HDEL', key, 'holder', 'until') end
elseif what == 'expire' then
  if version == ARGV[3] then redis.call('HDEL', key, 'access', 'expires') end
elseif what == 'put' then
  local entered = tonumber(ARGV[6])
  if entered and entered < tonumber(redis.call('HGET', key, 'entered') or 0) then
    done = 0
  else
    redis.call('HINCRBY', key, 'version', 1)
    redis.call('HSET', key, 'kind', ARGV[3], 'client_id', ARGV[4], 'secret', ARGV[5])
    if entered then redis.call('HSET', key, 'entered', ARGV[6]) end
    redis.call('HDEL', key, 'access', 'expires', 'holder', 'until')
  end
elseif what == 'consent' then
  if access ~= ARGV[4] then
    redis.call('HINCRBY', key, 'version', 1)
    redis.call('HSET', key, 'kind', 'authorization_code', 'client', ARGV[3], 'access', ARGV[4], 'expires',
      now + tonumber(ARGV[5]), 'refresh', ARGV[6], 'rotated', now)
  end
elseif what == 'reseal' then
  if redis.call('HGET', key, ARGV[3]) == ARGV[4] then redis.call('HSET', key, ARGV[3], ARGV[5]) end
elseif what == 'forget' then
  redis.call('DEL', key)
  redis.call('SREM', P .. 'grants', id)
  return {}
end

g = redis.call('HMGET', key, 'version', 'expires', 'client_id', 'secret', 'access', 'kind', 'client', 'refresh',
  'previous', 'rotated')
local left = g[2] and math.max(0, tonumber(g[2]) - now) or 0
local client = g[7] or id
if g[7] then
  local pair = redis.call('HMGET', P .. 'grant:' .. client, 'client_id', 'secret')
  g[3], g[4] = pair[1], pair[2]
end
return { done, g[1], string.format('%d', left), g[3] or '', g[4] or '', g[5] or '', g[6] or '', client,
  g[8] or '', g[9] or '', string.format('%d', now - tonumber(g[10] or now)) }
