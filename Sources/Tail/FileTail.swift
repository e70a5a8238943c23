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
    let queue: EventQueue
    let metrics: SelfMetrics
    let time: any TimeSource
    let log: Logger
    let write: @Sendable (@escaping StoreJob, @escaping @Sendable (Bool) -> Void) -> Void

    public init(
        intake: EventIntake, queue: EventQueue, metrics: SelfMetrics, time: any TimeSource,
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
    /// Files of one source.
    static let filesMax = 1000
    /// A rotated file that stays quiet for so long is done with.
    static let goneNanos: UInt64 = 5_000_000_000
    /// Without news from inotify (network file systems, directories that do not exist yet) the
    /// files are looked at so often.
    private static let lookMillis = 2000
    private static let refusedMillis = 500
    static let compressedSuffixes = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"]

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
        var files: [TailedFile] = []
        var rejected = RejectedLines(directory: directory)
        for source in sources where !watch.add(source.directory) {
            services.log.warn(
                "cannot watch a directory; its files are looked at from time to time",
                ("path", source.directory))
        }
        resumeRotated(&files)
        while !isStopped.load(ordering: .relaxed) {
            find(&files)
            var wait = Self.lookMillis
            for file in files {
                switch read(file, &rejected) {
                case .progressed: wait = 0
                case .refused: wait = max(wait == 0 ? 0 : Self.refusedMillis, wait)
                case .stopped: wait = wait == 0 ? 0 : Self.lookMillis
                case .atEnd: break
                }
            }
            publish(files)
            for file in files where isDone(file) { positions.leave(file.position) }
            files.removeAll { isDone($0) }
            if wait > 0 {
                isCaughtUp.store(true, ordering: .relaxed)
                watch.wait(milliseconds: files.contains(where: \.isGone) ? 500 : wait)
            }
        }
        for file in files { _ = file.settle() }
    }

    /// Some pieces, so that one long file does not keep the others waiting.
    private func read(_ file: TailedFile, _ rejected: inout RejectedLines) -> TailedFile.Step {
        guard services.queue.hasRoom else { return .refused }
        var step = TailedFile.Step.atEnd
        for _ in 0..<16 {
            step = file.step(isLast: file.isGone && isQuiet(file), &rejected)
            guard step == .progressed, !isStopped.load(ordering: .relaxed) else { break }
        }
        return step
    }

    private func isDone(_ file: TailedFile) -> Bool {
        file.isGone && file.isIdle && isQuiet(file)
    }

    private func isQuiet(_ file: TailedFile) -> Bool {
        services.time.monotonicNanos - file.quietSince >= Self.goneNanos
    }

    private func publish(_ files: [TailedFile]) {
        let sizes = files.map { (path: $0.path, bytes: $0.unreadBytes) }
        unread.withLock { $0 = sizes }
    }
}

// Which files there are.
extension FileTail {
    private func find(_ files: inout [TailedFile]) {
        var present: Set<ReadableFile.Identity> = []
        for source in sources {
            let paths = paths(of: source)
            for path in paths {
                guard let identity = ReadableFile.identity(of: path) else { continue }
                guard present.insert(identity).inserted else { continue }
                if let known = files.first(where: { $0.file.identity == identity }) {
                    known.path = path
                    known.isGone = false
                } else if let file = open(path) {
                    files.append(file)
                }
            }
        }
        for file in files where !present.contains(file.file.identity) { file.isGone = true }
    }

    private func paths(of source: TailSource) -> [String] {
        guard source.isPattern else { return [source.path] }
        // Again: the directory may have come into being since.
        _ = watch.add(source.directory)
        return Directory.names(
            in: source.directory, matching: source.name, countMax: Self.filesMax
        ).filter { name in !Self.compressedSuffixes.contains { name.hasSuffix($0) } }
            .map { source.directory + "/" + $0 }
    }

    private func open(_ path: String) -> TailedFile? {
        guard let file = ReadableFile(path), !TailedFile.isCompressed(file) else { return nil }
        let position = position(of: file, path)
        services.log.info(
            "tailing a file", ("path", path), ("offset", "\(position.offset)"),
            ("generation", "\(position.generation)"))
        return TailedFile(file, position: position, services: services)
    }

    /// Where to go on: behind what is committed, or at the start of what is new.
    private func position(of file: borrowing ReadableFile, _ path: String) -> SourcePosition {
        var position = SourcePosition(
            path: path, device: file.identity.device, inode: file.identity.inode, generation: 0,
            headHash: TailedFile.hash([]), headBytes: 0, offset: 0)
        let identity = file.identity
        guard let stored = positions.find(device: identity.device, inode: identity.inode) else {
            return position
        }
        let isSame =
            file.size >= stored.offset
            && TailedFile.head(of: file, bytesMax: stored.headBytes).hash == stored.headHash
        guard isSame else {
            position.generation = stored.generation + 1
            return position
        }
        position = stored
        position.path = path
        return position
    }

    /// Files that were renamed away while nobody looked: their rest is read first.
    private func resumeRotated(_ files: inout [TailedFile]) {
        for source in sources {
            let stored = positions.known.filter { position in
                TailSource(path: position.path).directory == source.directory
            }
            guard !stored.isEmpty else { continue }
            let current = Set(paths(of: source).compactMap { ReadableFile.identity(of: $0) })
            let names = Directory.names(
                in: source.directory, matching: "*", countMax: Self.filesMax)
            for name in names where !Self.compressedSuffixes.contains(where: name.hasSuffix) {
                let path = source.directory + "/" + name
                guard let identity = ReadableFile.identity(of: path), !current.contains(identity),
                    !files.contains(where: { $0.file.identity == identity }),
                    let known = stored.first(where: {
                        $0.device == identity.device && $0.inode == identity.inode
                    }),
                    let file = open(path), file.position.generation == known.generation,
                    file.unreadBytes > 0
                else { continue }
                file.isGone = true
                files.append(file)
            }
        }
    }
}
