internal import Glibc

/// Wakes a thread that sleeps in `poll` on several files, of which `file` is one.
public final class WakePipe: Sendable {
    /// Readable once `wake` was called, until `drain`.
    public let file: Int32
    private let writeEnd: Int32

    public init() {
        var ends: [Int32] = [-1, -1]
        if unsafe pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }
        (file, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        for end in [file, writeEnd] where end >= 0 { close(end) }
    }

    /// Ends a sleep, or the next one. From any thread.
    public func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well.
        _ = unsafe write(writeEnd, &byte, 1)
    }

    public func drain() {
        guard file >= 0 else { return }
        var buffer = [UInt8](repeating: 0, count: 256)
        while unsafe read(file, &buffer, buffer.count) == buffer.count {}
    }
}
