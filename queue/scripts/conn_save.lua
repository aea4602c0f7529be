#!lua
-- conn_save: creates or replaces a connection. Its status stays; after an uninstall it begins anew.
-- With authorization_code it is disconnected until conn_link has its consent, and may learn its tenant
-- from it.
-- ARGV: 1 connection  2 id of this change  3 tenant, '' keeps  4 kind of grant  5 client id
--   6 '1' if a client id is given ('' and '1': the environment's pair)  7 '1' if its secret is given
--   8 '1' if another tenant than before is wanted  9 who
-- Returns {'ok', created 0|1, client id, grant}, {'tenant', present one}, {'leased'} (the tenant stays
-- while orders are on their way to it), {'no_secret'} (a client id without its secret), {'no_client'}
-- (the other way round).
-- Sent twice: a connection keeps the id of its last change; the same one again changes nothing.
local C, change, tenant, kind, client = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = P .. 'conn:' .. C
local c = redis.call('HMGET', key, 'status', 'change', 'tenant', 'kind', 'client_id', 'grant', 'created', 'consent')
local status, old_client, grant = c[1], c[5] or '', c[6] or ''
if c[2] == change then return { 'ok', c[7] == change and 1 or 0, old_client, grant } end

if tenant == '' then tenant = c[3] or '' end
local moves = status and (c[3] or '') ~= '' and c[3] ~= tenant
if moves and status ~= 'uninstalled' and ARGV[8] ~= '1' then return { 'tenant', c[3] } end
if (moves or status == 'uninstalled') and redis.call('EXISTS', P .. 'leases:' .. C) == 1 then return { 'leased' } end
if status == 'uninstalled' then
  if erase(C) ~= 'ok' then return { 'leased' } end
  old_client, grant = '', ''
end
local given, secret = ARGV[6] == '1', ARGV[7] == '1'
if not given then client = old_client end
if secret and client == '' then return { 'no_client' } end
if given and not secret and client ~= '' and client ~= old_client then return { 'no_secret' } end
-- Another client is another grant, so that nobody uses the old one's token while a worker is told.
if client == '' then
  grant = ''
elseif secret and (grant == '' or client ~= old_client) then
  grant = 'c-' .. C .. '-' .. change:sub(1, 8)
end

if moves then forget_tenant(C) end
local now_status = (not status or status == 'uninstalled') and 'active' or status
if client ~= old_client or kind ~= 'authorization_code' then redis.call('HDEL', key, 'consent') end
if kind == 'authorization_code' and now_status == 'active' and redis.call('HEXISTS', key, 'consent') == 0 then
  now_status = 'disconnected'
  redis.call('HSET', key, 'dropped', 'Nobody has consented in Xero yet.')
end
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
