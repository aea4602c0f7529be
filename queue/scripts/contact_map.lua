#!lua
-- contact_map: a person says which Xero contact a customer is, or (contact '') takes that back. What
-- earlier exports remembered of the customer stays beside it.
-- ARGV: 1 connection  2 customer's mark  3 customer, for the audit  4 ContactID or ''  5 who
-- Returns {'ok'}, {'none'} (no such connection), {'uninstalled'}, {'unmapped'} (there is nothing to
-- take back).
-- Sent twice: the second changes nothing; taken back twice, it says 'unmapped'.
local C, mark, id = ARGV[1], ARGV[2], ARGV[4]
local key = P .. 'mapped:' .. C
local status = redis.call('HGET', P .. 'conn:' .. C, 'status')
if not status then return { 'none' } end
if status == 'uninstalled' then return { 'uninstalled' } end
local old = redis.call('HGET', key, mark) or ''
if id == '' and old == '' then return { 'unmapped' } end
if id == old then return { 'ok' } end
if id == '' then redis.call('HDEL', key, mark) else redis.call('HSET', key, mark, id) end
audit(ARGV[5], id == '' and 'unmap' or 'map', 'customer ' .. ARGV[3] .. ' of connection ' .. C, old, id)
return { 'ok' }
