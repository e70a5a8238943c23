/// How much processor time the control groups of this process allow it: what a container's CPU
/// limit is made of.
/// https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
public enum ProcessorQuota {
    /// In processors: 0.5 is half the time of one. Nil: no limit, or none that can be read.
    ///
    /// - Parameter root: where `/proc` and `/sys` are looked for.
    public static func read(root: String = "") -> Double? {
        text(root + "/proc/self/cgroup").split(separator: "\n")
            .compactMap { quota(ofGroup: $0, root: root) }.min()
    }

    /// A line of /proc/self/cgroup: `0::/path`, or `4:cpu,cpuacct:/path` in the older form.
    private static func quota(ofGroup line: Substring, root: String) -> Double? {
        let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3 else { return nil }
        let isUnified = fields[1].isEmpty
        guard isUnified || fields[1].split(separator: ",").contains("cpu") else { return nil }
        let mount = root + (isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu")
        // Every group above has its say. Inside a container the path may be the host's; then only
        // the top is there, which is the container's own group.
        var quotas: [Double] = []
        var path = fields[2].split(separator: "/")
        while true {
            let directory = ([mount] + path.map(String.init)).joined(separator: "/")
            let found = isUnified ? quota(unified: directory) : quota(older: directory)
            if let found { quotas.append(found) }
            if path.popLast() == nil { return quotas.min() }
        }
    }

    /// `max 100000` or `50000 100000`: microseconds of processor time in each period.
    private static func quota(unified directory: String) -> Double? {
        let words = text(directory + "/cpu.max").split { $0 == " " || $0 == "\n" }
        return words.count == 2 ? ratio(words[0], words[1]) : nil
    }

    /// -1 is no limit.
    private static func quota(older directory: String) -> Double? {
        let quota = text(directory + "/cpu.cfs_quota_us").split(separator: "\n")
        let period = text(directory + "/cpu.cfs_period_us").split(separator: "\n")
        guard let quota = quota.first, let period = period.first else { return nil }
        return ratio(quota, period)
    }

    private static func ratio(_ quota: Substring, _ period: Substring) -> Double? {
        guard let quota = Int(quota), let period = Int(period), quota > 0, period > 0 else {
            return nil
        }
        return Double(quota) / Double(period)
    }

    private static func text(_ path: String) -> String {
        var bytes: [UInt8] = []
        guard let file = ReadableFile(path), file.read(16_384, at: 0, into: &bytes) else {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
