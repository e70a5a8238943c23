internal import Files
public import Intake
public import Ledger
public import Logging
public import SelfMetrics
internal import Synchronization
internal import Threading
public import Usage

/// A file that applications append events to, or all that match a pattern in its last part.
public struct TailSource: Equatable, Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    var name: String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    var isPattern: Bool { name.contains { "*?[".contains($0) } }
}

public struct TailServices: Sendable {
    let intake: EventIntake
    let queue: any BatchSink
    let metrics: SelfMetrics
    let time: any TimeSource
    let log: Logger
    let write: @Sendable (@escaping StoreJob, @escaping @Sendable (Bool) -> Void) -> Void

    public init(
        intake: EventIntake, queue: any BatchSink, metrics: SelfMetrics, time: any TimeSource,
        log: Logger,
        write: @escaping @Sendable (@escaping StoreJob, @escaping @Sendable (Bool) -> Void) -> Void
    ) {
        self.intake = intake
        self.queue = queue
        self.metrics = metrics
        self.time = time
        self.log = log
        self.write = write
    }

    func write(
        _ job: @escaping StoreJob, completion: @escaping @Sendable (Bool) -> Void
    ) { write(job, completion) }
}

/// Tails files on one thread: finds them, follows them through rotation, reads what is new.
///
/// A file is known by device and inode, so a rename changes nothing. Content that was replaced
/// (truncation, copytruncate, a reused inode) shows by a size below the position or by other first
/// bytes; it is read from its start as the next generation.
public final class FileTail: Sendable {
    private let sources: [TailSource]
    private let services: TailServices
    private let positions: TailPositions
    private let directory: String
    private let watch = DirectoryWatch()
    private let isStopped = Atomic<Bool>(false)
    private let isCaughtUp = Atomic<Bool>(false)
    private let unread = Mutex<[(path: String, bytes: Int64)]>([])
    private let thread = Mutex<NamedThread?>(nil)

    /// - Parameter directory: where `rejected.ndjson` goes.
    public init(
        sources: [TailSource], positions: TailPositions, directory: String, services: TailServices
    ) {
        self.sources = sources
        self.positions = positions
        self.directory = directory
        self.services = services
    }

    public func start() {
        guard !sources.isEmpty else { return isCaughtUp.store(true, ordering: .relaxed) }
        thread.withLock { $0 = NamedThread("tail") { [self] in run() } }
    }

    /// Waits for the pieces under way and joins the thread. Call while the ledger still writes.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        watch.wake()
        thread.withLock { $0.take() }?.join()
    }

    /// Every file has been read to its end once since the start.
    public var hasCaughtUp: Bool { isCaughtUp.load(ordering: .relaxed) }

    /// Bytes that wait to be read, by file.
    public var unreadBytes: [(path: String, bytes: Int64)] { unread.withLock { $0 } }

    private func run() {
        let files = TailedFiles(
            sources: sources, positions: positions, directory: directory, services: services)
        for source in sources where !watch.add(source.directory) {
            services.log.warn(
                "cannot watch a directory; its files are looked at from time to time",
                ("path", source.directory))
        }
        files.resumeRotated()
        while !isStopped.load(ordering: .relaxed) {
            // Again: a directory may have come into being since.
            for source in sources where source.isPattern { _ = watch.add(source.directory) }
            let wait = files.pass { isStopped.load(ordering: .relaxed) }
            unread.withLock { $0 = files.unreadBytes }
            if wait > 0 {
                isCaughtUp.store(true, ordering: .relaxed)
                watch.wait(milliseconds: wait)
            }
        }
        files.settle()
    }
}
