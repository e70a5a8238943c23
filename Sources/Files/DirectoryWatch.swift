internal import Glibc

/// Tells when something changes in some directories: inotify, and a pipe by which another thread
/// wakes the waiting one.
/// https://man7.org/linux/man-pages/man7/inotify.7.html
@safe
public final class DirectoryWatch: Sendable {
    private let notify: Int32
    private let wakeRead: Int32
    private let wakeWrite: Int32

    /// Without inotify (its limits are per user) waiting is by time alone.
    public init() {
        notify = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        var ends: [Int32] = [-1, -1]
        if unsafe pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    deinit {
        for file in [notify, wakeRead, wakeWrite] where file >= 0 { close(file) }
    }

    /// Watches a directory; again is harmless. False when that is not possible (now).
    public func add(_ path: String) -> Bool {
        guard notify >= 0 else { return false }
        let events = UInt32(
            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE)
        return unsafe inotify_add_watch(notify, path, events) >= 0
    }

    /// Returns when something has changed, `wake` was called or the time is over.
    public func wait(milliseconds: Int) {
        var polled = [
            pollfd(fd: notify, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&polled, 2, Int32(milliseconds))
        // What changed is looked at anew, so that a lost or merged event does no harm.
        var buffer = [UInt8](repeating: 0, count: 16_384)
        for file in [notify, wakeRead] where file >= 0 {
            while unsafe read(file, &buffer, buffer.count) == buffer.count {}
        }
    }

    /// Ends a wait, or the next one.
    public func wake() {
        var byte: UInt8 = 1
        // A full pipe wakes as well.
        _ = unsafe write(wakeWrite, &byte, 1)
    }
}
