# Runs a temporary PostgreSQL server until standard input ends. Started as: sh -c SCRIPT sh BINARIES SOCKETS DATA [SETTING...]
binaries=$1 sockets=$2 data=$3
shift 3
"$binaries/initdb" -D "$data/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$sockets/log" 2>&1 || exit 1
"$binaries/postgres" -D "$data/data" -k "$sockets" -c listen_addresses= -c max_connections=300 "$@" \
    >>"$sockets/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$sockets" "$data"
