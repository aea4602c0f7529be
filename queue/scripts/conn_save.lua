#!lua
-- conn_save: creates or replaces a connection. Its status stays; after an uninstall it begins anew.
-- ARGV: 1 connection  2 id of this change  3 tenant  4 kind of grant  5 client id
--   6 '1' if a client id is given ('' and '1': the environment's pair)  7 '1' if its secret is given
--   8 '1' if another tenant than before is wanted  9 who
-- Returns {'ok', created 0|1, client id, grant}, {'tenant', present one}, {'leased'} (the tenant stays
-- while orders are on their way to it), {'no_secret'} (a client id without its secret), {'no_client'}
-- (the other way round).
-- Sent twice: a connection keeps the id of its last change; the same one again changes nothing.
local C, change, tenant, kind, client = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = P .. 'conn:' .. C
local c = redis.call('HMGET', key, 'status', 'change', 'tenant', 'kind', 'client_id', 'grant', 'created')
local status, old_client, grant = c[1], c[5] or '', c[6] or ''
if c[2] == change then return { 'ok', c[7] == change and 1 or 0, old_client, grant } end

local moves = status and c[3] ~= tenant
if moves and status ~= 'uninstalled' and ARGV[8] ~= '1' then return { 'tenant', c[3] } end
if moves and redis.call('EXISTS', P .. 'leases:' .. C) == 1 then return { 'leased' } end
local given, secret = ARGV[6] == '1', ARGV[7] == '1'
if not given then client = old_client end
if secret and client == '' then return { 'no_client' } end
if given and not secret and client ~= '' and client ~= old_client then return { 'no_secret' } end
if client == '' then grant = '' elseif secret then grant = 'c-' .. C end

if moves then -- what was learnt of the other organisation does not hold for this one
  redis.call('HDEL', key, 'tenant_name', 'day_left', 'nb', 'why', 'turn')
  redis.call('DEL', P .. 'contacts:' .. C, P .. 'ref:' .. C)
end
local now_status = (not status or status == 'uninstalled') and 'active' or status
local function shown(st, t, k, id)
  return '{"status":"' .. st .. '","tenant":' .. cjson.encode(t) .. ',"grant":"' .. k
    .. '","client_id":' .. cjson.encode(id) .. '}'
end
redis.call('HSET', key, 'status', now_status, 'tenant', tenant, 'kind', kind, 'client_id', client,
  'grant', grant, 'change', change)
if not status then redis.call('HSET', key, 'created', change) end
redis.call('HINCRBY', key, 'version', 1)
redis.call('SADD', P .. 'conns', C)
audit(ARGV[9], status and 'change' or 'create', 'connection ' .. C,
  status and shown(status, c[3], c[4] or '', old_client) or '', shown(now_status, tenant, kind, client))
relane_and_ring(C)
return { 'ok', status and 0 or 1, client, grant }
