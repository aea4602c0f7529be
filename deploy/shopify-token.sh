#!/bin/sh
# Asks Shopify for a new access token of an app of the shop's own organisation, and gives it to
# ledgerhook. Such a token is good for 24 hours: run this from cron twice a day.
# Usage: shopify-token.sh acme.myshopify.com
# Reads API and ADMIN (ledgerhook's address and admin token), SHOPIFY_CLIENT_ID and
# SHOPIFY_CLIENT_SECRET (the app's) from the environment. Secrets go to curl by its stdin, so that
# no list of processes shows them.
set -eu

shop=${1:?usage: shopify-token.sh acme.myshopify.com}
: "${API:?}" "${ADMIN:?}" "${SHOPIFY_CLIENT_ID:?}" "${SHOPIFY_CLIENT_SECRET:?}"
shopify=${SHOPIFY_URL:-https://$shop}

answer=$(curl -sS --max-time 30 --config - <<END
url = "$shopify/admin/oauth/access_token"
data-urlencode = "grant_type=client_credentials"
data-urlencode = "client_id=$SHOPIFY_CLIENT_ID"
data-urlencode = "client_secret=$SHOPIFY_CLIENT_SECRET"
END
)
token=$(printf %s "$answer" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
[ -n "$token" ] || {
    printf 'Shopify gave no token for %s: %.500s\n' "$shop" "$answer" >&2
    exit 1
}
curl -sS --max-time 30 --fail-with-body --config - <<END >/dev/null
url = "$API/stores/shopify/$shop"
request = "PATCH"
header = "Authorization: Bearer $ADMIN"
data = "{\"secrets\":{\"api_token\":\"$token\"}}"
END
echo "$shop has a new token"
