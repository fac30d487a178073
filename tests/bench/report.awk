# results.csv (bench.h) -> Markdown: the targets, then every figure.
#
#   awk -v hundred=100 -v thousand=1000 -v few=100 -v many=4000 -v all=10000 -f report.awk results.csv
BEGIN { FS = "," }
FNR == 1 { next }
{
  key = $1 "," $2 "," $3 "," $4
  if (key in median) {
    print "two figures have one name: " key >"/dev/stderr"
    failed = 1
    exit 1
  }
  order[++count] = key
  unit[key] = $5
  samples[key] = $6
  median[key] = $7
  p99[key] = $8
}

function figure(value, of) {
  if (of == "us" && value >= 1e6) return sprintf("%.2f s", value / 1e6)
  if (of == "us" && value >= 1e3) return sprintf("%.2f ms", value / 1e3)
  if (of == "us") return sprintf("%.0f µs", value)
  if (of == "1/s") return sprintf("%.0f /s", value)
  return sprintf("%.1f %s", value, of)
}

function row(what, value, sign, limit, of) {
  printf "| %s | %s %g%s | %.2f%s | %s |\n", what, sign == "<=" ? "≤" : "≥", limit, of, value, of,
    (sign == "<=" ? value <= limit : value >= limit) ? "met" : "**missed**"
}

# A target for a value, in units of `by`'s median; `p99_of` is 1 for the value's 99th percentile.
function target(what, value, by, sign, limit, p99_of) {
  if (!(value in median) || !(by in median)) {
    printf "| %s | | | not measured |\n", what
    return
  }
  row(what, (p99_of ? p99[value] : median[value]) / median[by], sign, limit, "")
}

# Of all that is measured by the packet; then what others' guests and networks cost it.
function packets(what, operation, who, limit) {
  target(what ", " who " / the plain bridge", operation "," who ",2,1",
    operation ",plain bridge,2,1", ">=", limit)
  target("the same with " thousand " guests / with 2", operation "," who "," thousand ",1",
    operation "," who ",2,1", ">=", 0.97)
  target("the same with 8 networks / with 1", operation "," who " with 8 networks,2,1",
    operation "," who ",2,1", ">=", 0.97)
}

function clone_packets(operation, where) {
  target(operation where ", of clones / of plain guests of a routed network",
    operation "," clones ",2,1", operation ",svnetd routed,2,1", ">=", 0.85)
}

function create(who, present) { return "create," who "," present ",1" }

# CreateTap on a routed network, in units of a call that changes nothing and 1.3 raw loops.
function routed_target(present, again, raw, value) {
  again = "create again,svnetd routed," present ",1"
  raw = create("floor routed", present)
  value = create("svnetd routed", present)
  if (!(again in median) || !(raw in median) || !(value in median)) return
  row("CreateTap on a routed network / (create again + 1.3 of the raw loop), " present " present",
    median[value] / (median[again] + 1.3 * median[raw]), "<=", 1, "")
}

END {
  if (failed) exit 1
  printf "| target (ratios of medians) | wanted | is | |\n|---|---|---|---|\n"
  target("CreateTap / floor, 1 TAP present", create("svnetd", 1), create("floor", 1), "<=", 1.8)
  target("CreateTap / floor, " hundred " present", create("svnetd", hundred),
    create("floor", hundred), "<=", 1.6)
  target("CreateTap / floor, " thousand " present", create("svnetd", thousand),
    create("floor", thousand), "<=", 1.4)
  target("CreateTap on a routed network / the bridge floor, 1 TAP present",
    create("svnetd routed", 1), create("floor", 1), "<=", 1.5)
  target("CreateTap on a routed network / the bridge floor, " hundred " present",
    create("svnetd routed", hundred), create("floor", hundred), "<=", 1.1)
  target("CreateTap on a routed network / the bridge floor, " thousand " present",
    create("svnetd routed", thousand), create("floor", thousand), "<=", 0.85)
  target("qemu-bridge-helper / CreateTap", create("qemu-bridge-helper", 1), create("svnetd", 1),
    ">=", 2.5)
  target("the TypeScript NetworkManager / CreateTap", create("typescript", 1),
    create("svnetd", 1), ">=", 12)
  target("CNI / CreateTap", create("cni", 1), create("svnetd", 1), ">=", 30)
  target("RemoveTap until it is answered / the kernel's destroy", "remove,svnetd," thousand ",1",
    "remove,floor," thousand ",1", "<=", 0.06)
  target(thousand " removals by 64 callers until the last device is gone / one group",
    "remove all until gone,svnetd," thousand ",64", "remove all,floor," thousand ",1", "<=", 1.5)
  target("Cleanup of " thousand " until the last device is gone / one group",
    "cleanup until gone,svnetd," thousand ",1", "remove all,floor," thousand ",1", "<=", 1.3)
  target("TAPs a second, 64 callers / the floor's one thread", "create all,svnetd,0,64",
    "create all,floor,0,1", ">=", 0.55)
  storm = thousand * 9 / 10
  target("CreateTap in a storm of removals, p99 / its quiet median",
    create("svnetd in a storm", storm), create("svnetd quiet", storm), "<=", 10, 1)
  target("restart with " thousand " TAPs until ready / one link dump",
    "restart,svnetd," thousand ",1", "link dump,floor," thousand ",1", "<=", 10)
  create_many = "create many,svnetd routed," many ",64"
  if (create_many in median) {
    row(many " leases on a routed network, by 64 callers", median[create_many] / 1e6, "<=", 4, " s")
  }
  with_udevd = "create many with udevd,svnetd routed," many ",64"
  if (with_udevd in median) row("the same with systemd-udevd", median[with_udevd] / 1e6, "<=", 8, " s")
  target("CreateTap beside " all " on a routed network / beside " few,
    "create in a row,svnetd routed," all ",1", "create in a row,svnetd routed," few ",1", "<=", 1.5)
  target("Cleanup of " all " until the last device is gone / one group",
    "cleanup until gone,svnetd routed," all ",1", "remove all,floor routed," all ",1", "<=", 1.3)
  during = "create during cleanup,svnetd routed," all ",1"
  if (during in p99) row("CreateTap during that Cleanup, p99", p99[during] / 1000, "<=", 300, " ms")
  again = "restart,svnetd routed," all ",1"
  if (again in median) row("restart with " all " TAPs until ready", median[again] / 1e6, "<=", 1, " s")
  memory = "resident memory,svnetd," thousand ",64"
  if (memory in median) row("resident memory, " thousand " leases", median[memory], "<=", 32, " MiB")
  split(", by br_netfilter", ways, ",")
  for (way = 1; way <= 2; ++way) {
    out = "packets" ways[way]
    packets(out " to the outside", out, "svnetd", 0.88)
    packets(out " to the outside", out, "svnetd routed", 0.97)
    back = "packets from outside" ways[way]
    packets(back, back, "svnetd routed", 1.05)
    between = "packets between guests" ways[way]
    packets(between " of one owner", between, "svnetd routed", 0.78)
  }
  split("1," hundred "," thousand, presents, ",")
  for (i = 1; i <= 3; ++i) routed_target(presents[i])
  target("TAPs a second on a routed network, 64 callers / the bridge floor's one thread",
    "create all,svnetd routed,0,64", "create all,floor,0,1", ">=", 0.85)
  clones = "svnetd routed with clones"
  split("1," hundred "," thousand, presents, ",")
  for (i = 1; i <= 3; ++i) {
    target("CreateTap with a guest view / without, " presents[i] " present",
      create(clones, presents[i]), create("svnetd routed", presents[i]), "<=", 1.2)
  }
  target("a network namespace by shell / CreateTap with a guest view", create("netns by shell", 1),
    create(clones, 1), ">=", 20)
  target("a network namespace by netlink / CreateTap with a guest view",
    create("netns by netlink", 1), create(clones, 1), ">=", 2)
  clone_packets("packets", " to the outside")
  clone_packets("packets from outside", "")
  clone_packets("packets between guests", "")
  printf "\n### All figures\n\n"
  printf "| operation | who | TAPs present | callers | median | p99 | samples |\n"
  printf "|---|---|---:|---:|---:|---:|---:|\n"
  for (i = 1; i <= count; ++i) {
    split(order[i], of, ",")
    printf "| %s | %s | %s | %s | %s | %s | %s |\n", of[1], of[2], of[3], of[4],
      figure(median[order[i]], unit[order[i]]), figure(p99[order[i]], unit[order[i]]),
      samples[order[i]]
  }
  printf "\n"
}
