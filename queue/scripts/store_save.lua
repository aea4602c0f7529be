#!lua
-- store_save: creates or replaces one store. Its version covers settings, secrets and connection.
-- ARGV: 1 store key  2 id of this change  3 version it was made from (0: there was none)
--   4 connection  5 '=' and its invoice numbers' prefix, or ''  6 settings (JSON)  7 day added  8 who
--   then per secret that changes: name, sealed text ('' removes it); '=name' is the same secret,
--   sealed anew
-- Returns {'ok', version}, {'version', present one}, {'no_conn'}, {'prefix', store} whose prefix it is
-- on this connection, or {'busy', order, connection}: the connection stays while orders of the store
-- wait or are leased under it.
-- Sent twice: a store keeps the id of its last change; the same one again changes nothing.
local S, change, C, prefix = ARGV[1], ARGV[2], ARGV[4], ARGV[5]:lower()
local key = P .. 'store:' .. S
local s = redis.call('HMGET', key, 'version', 'change', 'deleted', 'connection', 'doc', 'prefix')
local version, old_conn, old_doc = s[1] or '0', s[4], s[5]
if s[2] == change then return { 'ok', version } end
local live = s[1] and not s[3]
if (live and version or '0') ~= ARGV[3] then return { 'version', live and version or '0' } end
if redis.call('EXISTS', P .. 'conn:' .. C) == 0 then return { 'no_conn' } end
local holder = prefix ~= '' and redis.call('HGET', P .. 'prefixes:' .. C, prefix)
if holder and holder ~= S then return { 'prefix', holder } end

local function of_store(orders)
  for _, O in ipairs(orders) do
    if O:sub(1, #S + 1) == S .. '/' then return O end
  end
end
local function in_queue(queue)
  local at = 0
  repeat
    local orders = redis.call('ZRANGE', queue, at, at + 999)
    local O = of_store(orders)
    if O then return O end
    at = at + 1000
  until #orders < 1000
end
local function in_leases(conn)
  for _, token in ipairs(redis.call('ZRANGE', P .. 'leases:' .. conn, 0, -1)) do
    local O = of_store(redis.call('HKEYS', P .. 'batch:' .. conn .. ':' .. token))
    if O then return O end
  end
end
if old_conn and old_conn ~= C then
  local O = in_queue(P .. 'ready:' .. old_conn) or in_queue(P .. 'later:' .. old_conn)
    or in_leases(old_conn)
  if O then return { 'busy', O, old_conn } end
end

local function shown(conn, doc, secrets)
  return '{"connection":"' .. conn .. '","document":' .. doc .. ',"secrets":[' .. secrets .. ']}'
end
local changed = {}
for i = 9, #ARGV, 2 do
  local name, sealed = ARGV[i], ARGV[i + 1]
  if name:sub(1, 1) == '=' then
    redis.call('HSET', key, 'secret:' .. name:sub(2), sealed)
  else
    changed[#changed + 1] = '"' .. name .. '"'
    if sealed == '' then
      redis.call('HDEL', key, 'secret:' .. name, 'secret_at:' .. name)
    else
      redis.call('HSET', key, 'secret:' .. name, sealed, 'secret_at:' .. name, TIME[1])
    end
  end
end
redis.call('HDEL', key, 'erased')
if not live then
  redis.call('HDEL', key, 'deleted')
  redis.call('HSET', key, 'added_day', ARGV[7])
end
if s[6] then redis.call('HDEL', P .. 'prefixes:' .. old_conn, s[6]) end
if prefix ~= '' then
  redis.call('HSET', P .. 'prefixes:' .. C, prefix, S)
  redis.call('HSET', key, 'prefix', prefix)
else
  redis.call('HDEL', key, 'prefix')
end
redis.call('HSET', key, 'connection', C, 'doc', ARGV[6], 'change', change)
version = redis.call('HINCRBY', key, 'version', 1)
redis.call('SADD', P .. 'stores', S)
audit(ARGV[8], live and 'change' or 'create', 'store ' .. S, live and shown(old_conn, old_doc or 'null', '') or '',
  shown(C, ARGV[6], table.concat(changed, ',')))
return { 'ok', version }
