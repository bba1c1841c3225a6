#!/usr/bin/env bash
# What a person does with `pqc` and no manual but `pqc --help`: makes keys, encrypts a folder to two
# people, signs a release, looks at what came of it, and mints a token at a server and uses it.
#
#   examples/files.sh [PQC]        (PQC: the program; `pqc` if nothing is said)
set -euo pipefail
pqc=$(realpath "$(command -v "${1:-pqc}")")
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; wait "$server" || true; fi; rm -rf "$folder"' EXIT
cd "$folder"

step() { printf '\n# %s\n' "$1"; }
# Shows the line, then runs it, with what it says beside its result.
run() {
    printf '$ pqc %s\n' "$*"
    "$pqc" "$@" 2>&1
}

step 'Each makes a key pair, and gives the public half away'
run kem keygen --out alice.pem --public alice.pub.pem
run kem keygen --out bob.pem --public bob.pub.pem
run sig keygen --out sender.pem --public sender.pub.pem

step 'A folder for two people, signed by its sender'
mkdir photos && echo 'a picture' > photos/1.txt
printf '$ tar -c photos | pqc encrypt -r alice.pub.pem -r bob.pub.pem --sign-with sender.pem -o photos.pqc\n'
tar -c photos | "$pqc" encrypt -r alice.pub.pem -r bob.pub.pem --sign-with sender.pem -o photos.pqc
run inspect photos.pqc

step 'Either of them decrypts it'
run decrypt -i alice.pem --verify-with sender.pub.pem -o alice.tar photos.pqc
run decrypt -i bob.pem --verify-with sender.pub.pem -o bob.tar photos.pqc
cmp alice.tar bob.tar
printf '$ tar -x -f bob.tar -O photos/1.txt\n'
tar -x -f bob.tar -O photos/1.txt

step 'A release is signed, and verified'
echo 'version 1.0' > release.txt
run sig sign --key sender.pem --out release.sig release.txt
run sig verify --public-key sender.pub.pem --signature release.sig release.txt
printf '$ echo "version 6.6" > release.txt\n'
echo 'version 6.6' > release.txt
if run sig verify --public-key sender.pub.pem --signature release.sig release.txt; then exit 1; fi
run inspect release.sig
run inspect sender.pub.pem

step 'A server: a token for one call, which is spent with it'
"$pqc" serve --listen 127.0.0.1:0 --data-dir data > listening 2> log &
server=$!
until grep -q listening listening; do kill -0 "$server"; sleep 0.1; done
url=$(sed -n 's/^listening on //p' listening)
export PQC_SERVER=$url
printf '$ pqc serve --data-dir data &\nlistening on %s\n$ export PQC_SERVER=%s\n' "$url" "$url"
run --token-file data/root-token remote token new --attempts 1 --out once.token
run inspect once.token
run --token-file once.token remote sign --out notes.sig --public server.pub.pem photos/1.txt
run sig verify --public-key server.pub.pem --signature notes.sig photos/1.txt
if run --token-file once.token remote sign --out again.sig photos/1.txt; then exit 1; fi

step 'Done'
