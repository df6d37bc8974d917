#!/usr/bin/env bash
# Fuzzes each target for so many seconds, one after the other: fuzz/run.sh [SECONDS [TARGET...]]
#
# Needs a nightly toolchain and cargo-fuzz (`cargo install --locked cargo-fuzz`). The fixtures are the seeds; what is found
# beyond them lies in fuzz/corpus, the log in fuzz/logs, and what crashes, hangs or takes too much in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
targets=("$@")
[ $# -gt 0 ] || targets=(decode header manifest)

mkdir -p fuzz/logs fuzz/corpus/{decode,header,manifest}
# Seeds: every fixture for the decoder; for headers the ten kinds, each with its usual numbers; lists as people write them.
find fixtures/speech fixtures/formats fixtures/truncated fixtures/bad fixtures/fuzzed -type f -size -64k | while read -r file; do
    cp "$file" "fuzz/corpus/decode/$(basename "$file")"
done
for kind in 0 1 2 3 4 5 6 7 8 9; do
    { printf "\\x0$kind"; head -c 400 /dev/zero; } >"fuzz/corpus/header/usual_$kind"
    { printf "\\x0$kind"; head -c 2000 fixtures/speech/opus_48k_mono.opus | tail -c 1600; } >"fuzz/corpus/header/noise_$kind"
done
printf '\0a.wav\n# b\n\nc d.wav\r\n' >fuzz/corpus/manifest/text
printf '\1id,path\n1,a.wav\n2,"b, c.wav"\n' >fuzz/corpus/manifest/csv
printf '\2path\tspeaker\na.wav\tx\n' >fuzz/corpus/manifest/tsv
printf '\3{"audio_filepath":"a.wav","duration":1.50}\n{"path":"b","x":{"y":[1,null]}}\n' >fuzz/corpus/manifest/jsonl
printf '\5a.wav\nb.wav\n' >fuzz/corpus/manifest/stdin

export RUSTUP_TOOLCHAIN=nightly
cargo fuzz build -O
for target in "${targets[@]}"; do
    # Ten seconds and half a gigabyte are far more than a recording of 64 kB may take, the sanitizer's own share included.
    nice cargo fuzz run -O "$target" -- -max_total_time="$seconds" -rss_limit_mb=768 -timeout=10 -max_len=65536 \
        -print_final_stats=1 >"fuzz/logs/$target.log" 2>&1 || echo "$target: see fuzz/logs/$target.log"
    grep -E "^(stat::|Done|caught|SUMMARY)" "fuzz/logs/$target.log" || true
done
