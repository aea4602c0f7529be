#!lua flags=allow-oom
-- store_delete: leaves a tombstone of a store: settings and secrets go, its version moves on, so that
-- whoever still holds them is told. store_withdraw then empties its queues.
-- ARGV: 1 store key  2 id of this change  3 who
-- Returns {'ok', connection}, {'gone', connection} if it is a tombstone already, {'none'}.
-- Sent twice: a store keeps the id of its last change; the same one again is answered alike.
local S = ARGV[1]
local key = P .. 'store:' .. S
local s = redis.call('HMGET', key, 'version', 'change', 'deleted', 'connection', 'doc', 'prefix')
if not s[1] then return { 'none' } end
if s[3] then return { s[2] == ARGV[2] and 'ok' or 'gone', s[4] } end

if s[6] then redis.call('HDEL', P .. 'prefixes:' .. s[4], s[6]) end
for _, field in ipairs(redis.call('HKEYS', key)) do
  if field ~= 'version' and field ~= 'connection' and field ~= 'added_day' then
    redis.call('HDEL', key, field)
  end
end
redis.call('HSET', key, 'deleted', '1', 'change', ARGV[2])
redis.call('HINCRBY', key, 'version', 1)
redis.call('SREM', P .. 'stores', S)
fetch_clear(S)
redis.call('DEL', P .. 'seller:' .. S)
audit(ARGV[3], 'delete', 'store ' .. S, '{"connection":"' .. s[4] .. '","document":' .. (s[5] or 'null') .. '}', '')
return { 'ok', s[4] }
