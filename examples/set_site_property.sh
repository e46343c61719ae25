#!/bin/sh
# Sets a property of the account, whatever its revision is, and prints it as it is now stored.
#
#   set_site_property.sh BEARER VALUE NAME
#   set_site_property.sh "$LP_BEARER" true messaging.file.sharing.enabled
#
# Needs curl, jq, and LP_ACCOUNT and LP_ACCOUNTCONFIGREADWRITE in the environment (`. data/demo.env`).
set -eu
if [ $# -ne 3 ]; then
  echo "usage: $0 BEARER VALUE NAME" >&2
  exit 2
fi
bearer=$1 value=$2 name=$3

jq -cn --arg id "$name" --arg value "$value" \
  '{id: $id, type: 2, propertyValue: {value: $value}, deleted: false}' |
curl --silent --show-error --fail-with-body -X PUT \
  -H "Authorization: Bearer $bearer" -H "If-Match: -1" \
  -H "Content-Type: application/json" -H "Accept: application/json" \
  -d @- "https://$LP_ACCOUNTCONFIGREADWRITE/api/account/$LP_ACCOUNT/configuration/setting/properties/$name?v=3.0"
echo
