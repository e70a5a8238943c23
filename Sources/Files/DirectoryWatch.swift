internal import Glibc
internal import Threading

/// Tells when something changes in some directories: inotify, and a pipe by which another thread
/// wakes the waiting one.
/// https://man7.org/linux/man-pages/man7/inotify.7.html
@safe
public final class DirectoryWatch: Sendable {
    private let notify: Int32
    private let pipe = WakePipe()

    /// Without inotify (its limits are per user) waiting is by time alone.
    public init() {
        notify = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    }

    deinit {
        if notify >= 0 { close(notify) }
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
            pollfd(fd: pipe.file, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&polled, 2, Int32(milliseconds))
        pipe.drain()
        guard notify >= 0 else { return }
        // What changed is looked at anew, so that a lost or merged event does no harm.
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while unsafe read(notify, &buffer, buffer.count) == buffer.count {}
    }

    /// Ends a wait, or the next one.
    public func wake() { pipe.wake() }
}
