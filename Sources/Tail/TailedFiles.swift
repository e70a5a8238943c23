internal import Files
internal import Ledger
internal import Logging
internal import Usage

/// The files of all sources that are being read. One thread owns it.
final class TailedFiles {
    /// A rotated file that stays quiet for so long is done with.
    static let goneNanos: UInt64 = 5_000_000_000
    /// Without news from inotify (network file systems, directories that do not exist yet) the
    /// files are looked at so often.
    static let lookMillis = 2000
    private static let refusedMillis = 500

    private let services: TailServices
    private let positions: TailPositions
    private var sources: [SourceFiles]
    private var rejected: RejectedLines
    private(set) var files: [TailedFile] = []

    init(
        sources: [TailSource], positions: TailPositions, directory: String, services: TailServices
    ) {
        self.services = services
        self.positions = positions
        self.sources = sources.map { SourceFiles($0, services: services) }
        rejected = RejectedLines(directory: directory)
    }

    /// Looks at every file once and reads some of what is new.
    ///
    /// - Returns: how long to wait for news before the next pass, in milliseconds; 0: there is more
    ///   to read.
    func pass(isStopped: () -> Bool = { false }) -> Int {
        find()
        var wait = Self.lookMillis
        for file in files {
            switch read(file, isStopped) {
            case .progressed: wait = 0
            case .refused: wait = wait == 0 ? 0 : min(Self.refusedMillis, wait)
            case .stopped, .atEnd: break
            }
        }
        for file in files where isDone(file) { positions.leave(file.position) }
        files.removeAll { isDone($0) }
        return wait
    }

    /// Waits for the pieces under way.
    func settle() {
        for file in files { _ = file.settle() }
    }

    var unreadBytes: [(path: String, bytes: Int64)] {
        files.map { (path: $0.path, bytes: $0.unreadBytes) }
    }

    /// Some pieces, so that one long file does not keep the others waiting.
    private func read(_ file: TailedFile, _ isStopped: () -> Bool) -> TailedFile.Step {
        file.isAtEnd = false
        guard services.queue.hasRoom else { return .refused }
        var step = TailedFile.Step.atEnd
        for _ in 0..<16 {
            step = file.step(isLast: file.isGone && isQuiet(file), &rejected)
            guard step == .progressed, !isStopped() else { break }
        }
        file.isAtEnd = step == .atEnd
        return step
    }

    private func isDone(_ file: TailedFile) -> Bool {
        guard file.isAtEnd, file.isIdle else { return false }
        return (file.isGone || file.isLeftOut) && isQuiet(file)
    }

    private func isQuiet(_ file: TailedFile) -> Bool {
        services.time.monotonicNanos - file.quietSince >= Self.goneNanos
    }
}

// Which files there are.
extension TailedFiles {
    private func find() {
        var present: Set<ReadableFile.Identity> = []
        for index in sources.indices {
            for path in sources[index].paths() {
                guard let identity = ReadableFile.identity(of: path) else { continue }
                guard present.insert(identity).inserted else { continue }
                if let known = files.first(where: { $0.file.identity == identity }) {
                    known.path = path
                    known.isGone = false
                    known.isLeftOut = false
                } else if let file = open(path) {
                    files.append(file)
                }
            }
        }
        for file in files where !present.contains(file.file.identity) {
            // Still there, only not among those that are followed: it comes back when it grows.
            file.isLeftOut = ReadableFile.identity(of: file.path) == file.file.identity
            file.isGone = !file.isLeftOut
        }
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
    func resumeRotated() {
        for index in sources.indices {
            let directory = sources[index].source.directory
            let stored = positions.known.filter { position in
                TailSource(path: position.path).directory == directory
            }
            guard !stored.isEmpty else { continue }
            let current = Set(
                sources[index].paths().compactMap { ReadableFile.identity(of: $0) })
            for name in Directory.names(in: directory, matching: "*")
            where !SourceFiles.isCompressed(name) {
                let path = directory + "/" + name
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
