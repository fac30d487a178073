# gnuplot -e "results='results.csv'; folder='.'; hundred=100" plots.gnuplot
set terminal svg size 960,360 font "sans-serif,13" background "white"
set datafile separator ","
set style fill solid 0.8
set boxwidth 0.7
set grid ytics
set key off
set xtics nomirror rotate by -20
rows(pattern, columns) = sprintf("< grep -E '^%s,' %s | cut -d, -f%s", pattern, results, columns)

set output folder."/create.svg"
set title "One TAP more, ".hundred." present: median (a logarithmic scale)"
set logscale y
set yrange [100:*]
set ylabel "microseconds"
plot rows("create,(floor|svnetd|svnetd routed|qemu-bridge-helper|typescript|cni|netavark|netns by [a-z]+),".hundred.",1", "2,7") \
  using 0:2:xtic(1) with boxes linecolor rgb "#4472a8"

set output folder."/remove.svg"
set yrange [1:*]
set title "One TAP less, ".hundred." present: median until it is answered"
plot rows("remove,(floor|svnetd|svnetd routed|qemu-bridge-helper|typescript|cni|netavark|netns by [a-z]+),".hundred.",1", "2,7") \
  using 0:2:xtic(1) with boxes linecolor rgb "#4472a8"

unset logscale y
set yrange [0:*]
set ylabel "TAPs a second"
set output folder."/callers.svg"
set title "Created, by so many callers at once"
plot rows("create all,(floor|svnetd|svnetd routed),0,[0-9]+", "2,4,7") \
  using 0:3:xtic(stringcolumn(1)." ".stringcolumn(2)) with boxes linecolor rgb "#4472a8"

set ylabel "packets a second"
set output folder."/data_path.svg"
set title "Small packets from a guest to the outside, with so many guests bound"
plot rows("packets,[a-z ]+,[0-9]+,1", "2,3,7") \
  using 0:3:xtic(stringcolumn(1)." ".stringcolumn(2)) with boxes linecolor rgb "#4472a8"
