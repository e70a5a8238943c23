internal import Synchronization
internal import Threading

/// Work of the control plane, on a thread of its own. The server's threads stay free for ingest.
public final class WorkQueue: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isClosed = false
    }

    /// Past this many waiting jobs callers are told to come back.
    static let jobsMax = 64

    private let state = Mutex(State())
    private let wake = WakeSignal()
    private let thread = Mutex<NamedThread?>(nil)
    private let name: String

    public init(_ name: String) { self.name = name }

    public func start() {
        thread.withLock { $0 = NamedThread(name) { [self] in run() } }
    }

    /// False when too much waits.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.jobs.count < Self.jobsMax else { return false }
            state.jobs.append(job)
            return true
        }
        if isTaken { wake.notify() }
        return isTaken
    }

    /// Finishes what waits and joins the thread.
    public func stop() {
        state.withLock { $0.isClosed = true }
        wake.notify()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        while true {
            let (job, isClosed) = state.withLock { state in
                (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isClosed)
            }
            if let job {
                job()
            } else if isClosed {
                return
            } else {
                wake.wait()
            }
        }
    }
}
