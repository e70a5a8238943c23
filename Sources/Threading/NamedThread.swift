internal import Glibc

/// A thread with a name that `top -H` and a debugger show, joined by its owner.
@safe
public final class NamedThread: @unchecked Sendable {
    // `handle` is written by init and read by join, which the owner calls once.
    private var handle = pthread_t()

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts at once. The kernel keeps 15 bytes of the name.
    public init(_ name: String, run: @escaping @Sendable () -> Void) {
        let code = start(Body(name: name, run: run))
        precondition(code == 0, "BUG: cannot start thread \(name): error \(code)")
    }

    /// Nil: the system has no room for another thread.
    public init?(ifThereIsRoom name: String, run: @escaping @Sendable () -> Void) {
        guard start(Body(name: name, run: run)) == 0 else { return nil }
    }

    private func start(_ body: Body) -> Int32 {
        let context = unsafe Unmanaged.passRetained(body)
        let code = unsafe pthread_create(
            &handle, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                setName(body.name)
                body.run()
                return nil
            }, context.toOpaque())
        if code != 0 { unsafe context.release() }
        return code
    }

    public func join() {
        pthread_join(handle, nil)
    }
}

/// Through the file of /proc: pthread_setname_np is no part of what Glibc's module shows.
private func setName(_ name: String) {
    let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    let bytes = Array(name.utf8.prefix(15))
    // A thread without its name works as well.
    _ = unsafe write(file, bytes, bytes.count)
    close(file)
}

/// Lets another thread run before this one goes on.
public func yieldThread() { sched_yield() }
