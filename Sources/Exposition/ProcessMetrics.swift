internal import Glibc

/// What the kernel knows of this process, under the names that every exporter uses.
/// https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
struct ProcessMetrics {
    var cpuNanos: Int64 = 0
    var openFiles: Int64 = 0
    var openFilesMax: Int64 = 0
    var virtualBytes: Int64 = 0
    var residentBytes: Int64 = 0
    /// Unix seconds times 100.
    var startCentiseconds: Int64 = 0

    /// Fields that cannot be read stay 0.
    init() {
        var usage = rusage()
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            cpuNanos = Self.nanos(usage.ru_utime) + Self.nanos(usage.ru_stime)
        }
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            openFilesMax = Int64(clamping: limit.rlim_cur)
        }
        openFiles = Self.countEntries("/proc/self/fd")
        // The command may hold blanks and brackets, so the fields are counted from its last
        // bracket.
        let text = Self.read("/proc/self/stat")
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        guard fields.count > 22 else { return }
        // Field numbers of proc(5) less 2, for the part after the command.
        let ticks = Int64(sysconf(Int32(_SC_CLK_TCK)))
        let bootSeconds =
            Self.read("/proc/stat").split(separator: "\n")
            .first { $0.hasPrefix("btime ") }.flatMap { Int64($0.dropFirst(6)) } ?? 0
        startCentiseconds = bootSeconds * 100 + (Int64(fields[20]) ?? 0) * 100 / max(ticks, 1)
        virtualBytes = Int64(fields[21]) ?? 0
        residentBytes = (Int64(fields[22]) ?? 0) * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func nanos(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1000
    }

    private static func countEntries(_ path: String) -> Int64 {
        guard let directory = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(directory) }
        var count: Int64 = 0
        while let entry = unsafe readdir(directory) {
            if unsafe entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        // The listing itself holds one open.
        return max(0, count - 1)
    }

    private static func read(_ path: String) -> String {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = unsafe Glibc.read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
