#!/usr/bin/env bash
# A sender and a receiver establish a key and use it, over a running server.
#
#     bash sender_receiver.sh http://127.0.0.1:8000 pqc-data/root-token
#
# bash, curl, sed and coreutils. Prints each step with sizes, never a secret. Exit status: 0 if
# every step went as it should, 1 with a message if one did not, 2 for bad usage.
#
# The answers are read with sed, which is enough here: flat JSON objects on one line, whose values
# are hex or plain words. Use a JSON parser for anything else.
set -euo pipefail

if (($# != 2)); then
  echo "usage: sender_receiver.sh BASE_URL ROOT_TOKEN_FILE" >&2
  exit 2
fi
base_url=${1%/}
text='Meet me at noon.'
receipt='received: 1 message'

die() {
  echo "sender_receiver: $1" >&2
  exit 1
}

step() { printf '%-9s %s\n' "$1" "$2"; }

# post TOKEN PATH STATUS: sends the JSON body on stdin, checks the status, prints the answer.
# Token and body go to curl through pipes: arguments are seen by every user of a machine.
post() {
  local answer status
  answer=$(curl --silent --show-error --max-time 30 --write-out '\n%{http_code}' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$1") \
    --header 'Content-Type: application/json' --data-binary @- "$base_url$2") ||
    die "POST $2 got no answer"
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  if [[ $status != "$3" ]]; then
    # A problem document names what is wrong, and holds no secret.
    [[ $status == 2* ]] && answer=''
    die "POST $2 answered $status, not $3${answer:+: $answer}"
  fi
  printf '%s' "$answer"
}

# field NAME: the string of that name in the JSON object on stdin.
field() {
  local answer value
  answer=$(cat)
  [[ -n $answer ]] || exit 1 # `post` has said why
  value=$(sed -nE "s/.*\"$1\" *: *\"([^\"]*)\".*/\1/p" <<<"$answer")
  [[ -n $value ]] || die "an answer has no field $1"
  printf '%s' "$value"
}

# need_hex VALUE...: each is bytes in hex.
need_hex() {
  local value
  for value; do
    [[ $value =~ ^([0-9a-f]{2})+$ ]] || die 'a value is not hex'
  done
}

# size HEX: how many bytes it stands for.
size() { printf '%s' $((${#1} / 2)); }

# new_token OPERATIONS: a token for them, good for 4 calls in five minutes.
new_token() {
  printf '{"operations": [%s], "expire_after_attempts": 4, "expiry_time": 300}' "$1" |
    post "$root_token" /api/token/new 200 | field new_token
}

# The issuer keys that the server publishes, in hex, one a line.
published_issuer_keys() {
  local key
  curl --silent --show-error --fail --max-time 30 "$base_url/.well-known/jwks.json" |
    grep -oE '"pub" *: *"[^"]*"' | sed -E 's/.*"([^"]*)"$/\1/' | tr '_-' '/+' |
    while read -r key; do
      while ((${#key} % 4)); do key+='='; done
      base64 -d <<<"$key" | od -An -v -tx1 | tr -d ' \n'
      echo
    done
}

# The account's owner gives each party a token that does what this party needs, no more.
root_token=$(tr -d '[:space:]' <"$2")
receiver=$(new_token '"kem.generate", "kem.decapsulate", "aes.decrypt", "sign"')
sender=$(new_token '"kem.encapsulate", "aes.encrypt", "verify"')
step owner 'a token for each party: 4 calls, 5 minutes, a few operations'

# Not among the sender's operations: refused, and none of its calls is spent.
post "$sender" /api/kem/generate_keys 403 <<<'{}' >/dev/null
step sender 'may not make keys: 403'

# The receiver's secret key stays in the server, sealed.
answer=$(post "$receiver" /api/kem/generate_keys 200 <<<'{}')
pk=$(field pk <<<"$answer")
attestation=$(field verification_signature <<<"$answer")
issuer=$(field verification_key <<<"$answer")
account=$(field account <<<"$answer")
need_hex "$pk" "$attestation" "$issuer"
[[ $(size "$pk") == 1184 ]] || die 'an ML-KEM-768 public key has 1184 bytes'
step receiver "made a key pair: public key $(size "$pk") bytes,"
step '' "signed by the issuer: $(size "$attestation") bytes"

# A key that travels with the key it vouches for proves nothing: the sender compares it with the
# published one. A program that runs for long pins the published key instead.
published=$(published_issuer_keys) || die 'the issuer keys can not be read'
grep -qxF "$issuer" <<<"$published" || die 'the issuer key is not the published one'
step sender "the issuer key is the published one: $(size "$issuer") bytes"

# `account` says whose key the sender expects; a real sender knows it beforehand.
answer=$(printf '{"pk": "%s", "signature": "%s", "verif_key": "%s", "account": "%s"}' \
  "$pk" "$attestation" "$issuer" "$account" | post "$sender" /api/kem/encapsulate_key 200)
cipher=$(field cipher <<<"$answer")
sender_key=$(field shared_key <<<"$answer")
need_hex "$cipher" "$sender_key"
[[ $(size "$sender_key") == 32 ]] || die 'a shared key has 32 bytes'
step sender "encapsulated: ciphertext $(size "$cipher") bytes, a 32-byte shared key"

# The answer is one JSON string: hex between quotes.
encrypted=$(printf '{"unencrypted": "%s", "key": "%s"}' "$text" "$sender_key" |
  post "$sender" /api/aes/encrypt_text 200 | tr -d '"')
need_hex "$encrypted"
step sender "encrypted ${#text} bytes of text to $(size "$encrypted") bytes"

# From the sender the receiver gets two values: the ciphertext and the encrypted text.
receiver_key=$(printf '{"cipher": "%s", "pk": "%s"}' "$cipher" "$pk" |
  post "$receiver" /api/kem/decapsulate_key 200 | field shared_key)
need_hex "$receiver_key"
step receiver "decapsulated: a $(size "$receiver_key")-byte shared key"
decrypted=$(printf '{"ciphertext": "%s", "key": "%s"}' "$encrypted" "$receiver_key" |
  post "$receiver" /api/aes/decrypt_text 200)
[[ $decrypted == "\"$text\"" ]] || die 'the decrypted text is not the one that was encrypted'
step receiver 'decrypted the text: both hold the same key'

answer=$(printf '{"data": "%s"}' "$receipt" | post "$receiver" /api/signature/sign 200)
signature=$(field signature <<<"$answer")
signing_pk=$(field pk <<<"$answer")
need_hex "$signature" "$signing_pk"
step receiver "signed a receipt: signature $(size "$signature") bytes"

# verify DATA STATUS: asks, for the sender, whether the receiver signed DATA.
verify() {
  printf '{"data": "%s", "pk": "%s", "signature": "%s"}' "$1" "$signing_pk" "$signature" |
    post "$sender" /api/signature/verify "$2"
}
answer=$(verify "$receipt" 200)
grep -q '"verified" *: *true' <<<"$answer" || die 'the receipt does not verify'
step sender "verified '$receipt': true"
answer=$(verify "${receipt}s" 200)
grep -q '"verified" *: *false' <<<"$answer" || die 'a changed receipt verifies'
step sender "verified '${receipt}s': false"

verify "$receipt" 401 >/dev/null
step sender "the token's 4 calls are spent: 401"
echo 'done'
