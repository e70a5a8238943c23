import Foundation
import TestSupport
import Testing

@testable import Files

/// The files of the kernel are laid out as in real containers.
@Suite struct ProcessorQuotaTests {
    private let directory = TemporaryDirectory()

    private func write(_ text: String, _ path: String) throws {
        let file = URL(fileURLWithPath: directory.path + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private func limit() -> Double? { ProcessorQuota.read(root: directory.path) }

    @Test func `without a quota there is no limit`() throws {
        #expect(limit() == nil)
        try write("0::/\n", "/proc/self/cgroup")
        #expect(limit() == nil)
        try write("max 100000\n", "/sys/fs/cgroup/cpu.max")
        #expect(limit() == nil)
    }

    @Test func `a container's quota is in the group at the top`() throws {
        try write("0::/\n", "/proc/self/cgroup")
        try write("50000 100000\n", "/sys/fs/cgroup/cpu.max")
        #expect(limit() == 0.5)
        // With the host's path, of which the container sees nothing.
        try write("0::/kubepods.slice/pod1/abc\n", "/proc/self/cgroup")
        #expect(limit() == 0.5)
    }

    @Test func `the smallest quota of the groups above counts`() throws {
        try write("0::/kubepods/pod1/abc\n", "/proc/self/cgroup")
        try write("max 100000\n", "/sys/fs/cgroup/cpu.max")
        try write("75000 100000\n", "/sys/fs/cgroup/kubepods/cpu.max")
        try write("25000 100000\n", "/sys/fs/cgroup/kubepods/pod1/cpu.max")
        try write("90000 100000\n", "/sys/fs/cgroup/kubepods/pod1/abc/cpu.max")
        #expect(limit() == 0.25)
    }

    @Test func `groups of the older kind count as well`() throws {
        try write("5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n", "/proc/self/cgroup")
        try write("-1\n", "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us")
        try write("100000\n", "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us")
        #expect(limit() == nil)
        try write("20000\n", "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us")
        #expect(limit() == 0.2)
        // That of another controller is none.
        try write("5:cpuset:/a\n", "/proc/self/cgroup")
        #expect(limit() == nil)
    }

    @Test(arguments: ["", "\n", "max", "100000", "x y\n", "0 100000\n", "50000 0\n", "1 2 3\n"])
    func `what cannot be read does not limit`(text: String) throws {
        try write("0::/\nnonsense\n", "/proc/self/cgroup")
        try write(text, "/sys/fs/cgroup/cpu.max")
        #expect(limit() == nil)
    }
}
