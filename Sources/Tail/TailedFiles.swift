internal import Files
internal import Intake
internal import Ledger
internal import Logging
internal import Usage

/// The files of all sources that are being read. One thread owns it.
final class TailedFiles {
    /// A renamed file that stays quiet for so long is done with: its writer may keep it open until
    /// it has something to write. Its last line counts then also without a newline.
    static let goneNanos: UInt64 = 300_000_000_000
    /// Renamed files that are waited for so long; of more, those that were quiet the longest are
    /// done with like deleted ones.
    static let goneMax = 100
    /// The same for a deleted file, and one that others take the place of.
    static let leftNanos: UInt64 = 5_000_000_000
    /// Without news from inotify (network file systems, directories that do not exist yet) the
    /// files are looked at so often.
    static let lookMillis = 2000
    private static let refusedMillis = 500

    private let services: TailServices
    private let positions: TailPositions
    private var sources: [SourceFiles]
    private var rejected: RejectedLines
    private var faults: PathFaults
    private(set) var files: [TailedFile] = []

    init(
        sources: [TailSource], positions: TailPositions, directory: String, services: TailServices
    ) {
        self.services = services
        self.positions = positions
        self.sources = sources.map { SourceFiles($0, services: services) }
        rejected = RejectedLines(directory: directory)
        faults = PathFaults(log: services.log)
    }

    /// Looks at every file once and reads some of what is new.
    ///
    /// - Returns: how long to wait for news before the next pass, in milliseconds; 0: there is more
    ///   to read.
    func pass(isStopped: () -> Bool = { false }) -> Int {
        find()
        let oldest = oldestRenamed()
        var wait = Self.lookMillis
        for file in files {
            let isOver = isOver(file, oldest)
            switch read(file, isLast: file.isGone && isOver, isStopped) {
            case .progressed: wait = 0
            case .refused: wait = wait == 0 ? 0 : min(Self.refusedMillis, wait)
            case .stopped, .atEnd: break
            }
        }
        for file in files where isDone(file, oldest) { positions.leave(file.position) }
        files.removeAll { isDone($0, oldest) }
        return wait
    }

    /// Waits for the pieces under way.
    func settle() {
        for file in files { _ = file.settle() }
    }

    /// One number a path, also when a renamed file and its successor had the same.
    var unreadBytes: [(path: String, bytes: Int64)] {
        let sizes = files.map { ($0.path, $0.unreadBytes) }
        return Dictionary(sizes, uniquingKeysWith: +).sorted { $0.key < $1.key }
            .map { (path: $0.key, bytes: $0.value) }
    }

    /// Some pieces, so that one long file does not keep the others waiting.
    private func read(
        _ file: TailedFile, isLast: Bool, _ isStopped: () -> Bool
    ) -> TailedFile.Step {
        file.isAtEnd = false
        guard services.queue.hasRoom else { return .refused }
        var step = TailedFile.Step.atEnd
        for _ in 0..<16 {
            step = file.step(isLast: isLast, &rejected)
            guard step == .progressed, !isStopped() else { break }
        }
        file.isAtEnd = step == .atEnd
        return step
    }

    /// Renamed files beyond those that may be waited for.
    private func oldestRenamed() -> Set<ReadableFile.Identity> {
        let renamed = files.filter { $0.isGone && !$0.file.status.isDeleted }
        guard renamed.count > Self.goneMax else { return [] }
        let byAge = renamed.sorted { $0.quietSince > $1.quietSince }
        return Set(byAge.dropFirst(Self.goneMax).map { $0.file.identity })
    }

    /// Nothing more is expected of a file.
    private func isOver(_ file: TailedFile, _ oldest: Set<ReadableFile.Identity>) -> Bool {
        guard file.isGone || file.isLeftOut else { return false }
        let isWaitedFor =
            file.isGone && !oldest.contains(file.file.identity) && !file.file.status.isDeleted
        let quiet = services.time.monotonicNanos - file.quietSince
        return quiet >= (isWaitedFor ? Self.goneNanos : Self.leftNanos)
    }

    private func isDone(_ file: TailedFile, _ oldest: Set<ReadableFile.Identity>) -> Bool {
        file.isAtEnd && file.isIdle && isOver(file, oldest)
    }
}

// Which files there are.
extension TailedFiles {
    private func find() {
        var present: Set<ReadableFile.Identity> = []
        faults.begin()
        for index in sources.indices {
            let isPattern = sources[index].source.isPattern
            for path in sources[index].paths() {
                do throws(FileFault) {
                    let identity = try ReadableFile.identify(path)
                    guard present.insert(identity).inserted else { continue }
                    if let known = files.first(where: { $0.file.identity == identity }) {
                        known.path = path
                        known.isGone = false
                        known.isLeftOut = false
                    } else if let file = try open(path) {
                        files.append(file)
                    }
                } catch {
                    faults.add(error, path, isPattern: isPattern)
                }
            }
            if let fault = sources[index].fault {
                faults.add(fault, sources[index].source.path, isPattern: false)
            }
        }
        faults.end()
        for file in files where !present.contains(file.file.identity) {
            // Still there, only not among those that are followed: it comes back when it grows.
            file.isLeftOut =
                sources.contains { $0.leavesOut(file.path) }
                && ReadableFile.identity(of: file.path) == file.file.identity
            file.isGone = !file.isLeftOut
        }
    }

    /// Nil for a compressed file.
    private func open(_ path: String) throws(FileFault) -> TailedFile? {
        let file = try ReadableFile(opening: path)
        guard !TailedFile.isCompressed(file) else { return nil }
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
    func resumeRotated() {
        for index in sources.indices {
            let directory = sources[index].source.directory
            let stored = positions.known.filter { position in
                TailSource(path: position.path).directory == directory
            }
            guard !stored.isEmpty else { continue }
            let current = Set(
                sources[index].paths().compactMap { ReadableFile.identity(of: $0) })
            for name in (try? Directory.names(in: directory, matching: "*")) ?? []
            where !SourceFiles.isCompressed(name) {
                let path = directory + "/" + name
                guard let identity = ReadableFile.identity(of: path), !current.contains(identity),
                    !files.contains(where: { $0.file.identity == identity }),
                    let known = stored.first(where: {
                        $0.device == identity.device && $0.inode == identity.inode
                    }),
                    let file = try? open(path), file.position.generation == known.generation,
                    file.unreadBytes > 0 || isRecent(path)
                else { continue }
                file.isGone = true
                files.append(file)
            }
        }
    }

    /// Its writer may still have it open.
    private func isRecent(_ path: String) -> Bool {
        guard let modified = ReadableFile.modifiedNanos(of: path) else { return false }
        return services.time.unixNanos - modified < Int64(Self.goneNanos)
    }
}
