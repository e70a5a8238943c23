internal import Files
internal import Intake
internal import Ledger
internal import Logging
internal import SQLite
internal import SelfMetrics
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

/// One file that is being read: where it stands, and the piece of it that waits for its commit.
///
///     |---- committed ----|---- pending ----|---- not read ----|-- partial line --|
///     0                   position.offset   readOffset         last newline       size
///
/// One piece of at most `pieceBytesMax` is with the writer while the next is read and decoded. A
/// piece commits whole, with the position behind it; when its commit fails it is read again.
final class TailedFile {
    /// Also the longest line that is taken. At 24 bytes for the shortest event with an id of its
    /// own a piece stays below what one group may hold.
    static let pieceBytesMax = 1 << 20
    static let headBytesMax = 1024

    let file: ReadableFile
    private(set) var position: SourcePosition
    /// Renamed or deleted: nobody is expected to write to it for much longer.
    var isGone = false {
        // It may have been quiet for hours, but who renames it then writes to it.
        didSet { if isGone, !oldValue { quietSince = services.time.monotonicNanos } }
    }
    /// More files match than are followed, and others were written to later.
    var isLeftOut = false
    /// Everything up to the last newline has been read and is committed.
    var isAtEnd = false
    /// No growth since then, on the monotonic clock.
    private(set) var quietSince: UInt64
    private var readOffset: Int64
    private var sizeSeen: Int64 = -1
    /// The first bytes were the same ones after this change of the file.
    private var changeSeen: Int64 = .min
    private var pending: Piece?
    /// In the middle of a line that is too long to take.
    private var isSkipping = false
    /// Bad lines up to here have been copied: a piece that is read again does not tell twice.
    private var rejectedUpTo: Int64
    private let services: TailServices

    /// What the writer has not answered yet.
    fileprivate final class Piece: Sendable {
        let end: SourcePosition
        private let outcome = Mutex<Receipt.Outcome?>(nil)
        private let done = WakeSignal()

        init(end: SourcePosition) { self.end = end }

        func finish(_ outcome: Receipt.Outcome) {
            self.outcome.withLock { $0 = outcome }
            done.notify()
        }

        func wait() -> Receipt.Outcome {
            while true {
                if let outcome = outcome.withLock({ $0 }) { return outcome }
                done.wait()
            }
        }
    }

    init(_ file: consuming ReadableFile, position: SourcePosition, services: TailServices) {
        self.file = file
        self.position = position
        self.services = services
        readOffset = position.offset
        rejectedUpTo = position.offset
        quietSince = services.time.monotonicNanos
    }

    var path: String {
        get { position.path }
        set { position.path = newValue }
    }

    /// Bytes that are not committed, a partial last line included.
    var unreadBytes: Int64 { max(0, file.size - position.offset) }
    var isIdle: Bool { pending == nil }

    enum Step: Equatable {
        /// More may be there at once.
        case progressed
        /// Nothing to read now.
        case atEnd
        /// The store refused; the piece is read again later.
        case refused
        /// The ledger is full for good, or the process is stopping.
        case stopped
    }

    /// Reads the next piece while the last one is committed, then hands it over.
    ///
    /// - Parameter isLast: what stands behind the last newline is a line too.
    func step(isLast: Bool, _ rejected: inout RejectedLines) -> Step {
        let status = file.status
        let size = status.size
        if size < readOffset || !headIsSame(status) {
            if let outcome = settle(), outcome != .progressed { return outcome }
            restart(size: size)
        }
        if size != sizeSeen {
            sizeSeen = size
            quietSince = services.time.monotonicNanos
        }
        let next = prepare(size: size, isLast: isLast, &rejected)
        let outcome = settle()
        if let outcome, outcome != .progressed {
            services.queue.discard(next?.batches ?? [])
            return outcome
        }
        guard let next else { return outcome ?? .atEnd }
        submit(next)
        return .progressed
    }

    /// Waits for the pending piece; nil when there is none.
    func settle() -> Step? {
        guard let piece = pending else { return nil }
        pending = nil
        switch piece.wait().failure {
        case nil:
            let path = position.path
            position = piece.end
            position.path = path
            return .progressed
        case .storeUnwritable:
            readOffset = position.offset
            isSkipping = false
            return .refused
        case .ledgerFull, .stopping:
            readOffset = position.offset
            return .stopped
        }
    }

    /// The content was replaced: from here on it is another file.
    private func restart(size: Int64) {
        services.log.info(
            "a tailed file was truncated or replaced and is read from its start", ("path", path))
        position.generation += 1
        position.offset = 0
        position.headBytes = 0
        position.headHash = Self.hash([])
        readOffset = 0
        rejectedUpTo = 0
        sizeSeen = -1
        isSkipping = false
    }
}

// Pieces.
extension TailedFile {
    fileprivate struct Prepared {
        var batches: [EventBatch]
        let piece: Piece
    }

    private func prepare(
        size: Int64, isLast: Bool, _ rejected: inout RejectedLines
    ) -> Prepared? {
        let wanted = Int(min(Int64(Self.pieceBytesMax), size - readOffset))
        guard wanted > 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted + 64)
        guard file.read(wanted, at: readOffset, into: &bytes), !bytes.isEmpty else { return nil }
        let start = readOffset
        let reachesEnd = isLast && start + Int64(bytes.count) >= size
        var end = bytes.count
        if !reachesEnd {
            while end > 0, bytes[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        }
        if end == 0 {
            guard wanted == Self.pieceBytesMax else { return nil }
            skip(bytes, &rejected)
            return prepare(size: size, isLast: isLast, &rejected)
        }
        bytes.removeLast(bytes.count - end)
        if isSkipping {
            // The rest of a line that was told about already.
            let rest = bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            for index in 0..<rest { bytes[index] = UInt8(ascii: " ") }
            isSkipping = false
        }
        readOffset = start + Int64(end)
        return decode(&bytes, from: start, &rejected)
    }

    /// A line without an end within reach is passed over without being kept in memory.
    private func skip(_ bytes: [UInt8], _ rejected: inout RejectedLines) {
        if !isSkipping {
            services.metrics.count(
                rejected: 1, reason: RejectReason.tooLong.rawValue, from: .jsonl)
            if readOffset >= rejectedUpTo {
                let rejection = Rejection(
                    line: 1, index: 0, field: "", reason: .tooLong,
                    message: "the line has more than \(Self.pieceBytesMax) bytes", offset: 0)
                rejected.add(
                    path: path, offset: readOffset, text: bytes[...], rejection,
                    unixNanos: services.time.unixNanos)
                _ = rejected.write()
            }
        }
        isSkipping = true
        readOffset += Int64(bytes.count)
    }

    private func decode(
        _ bytes: inout [UInt8], from start: Int64, _ rejected: inout RejectedLines
    ) -> Prepared {
        var end = position
        end.offset = readOffset
        let head = head(size: readOffset)
        (end.headHash, end.headBytes) = (head.hash, head.bytes)
        let piece = Piece(end: end)
        let sink = UnitSink(services.queue)
        let length = bytes.count
        let report = services.intake.read(lines: &bytes, from: .jsonl, into: sink) {
            read, outcome in
            // Without events there is no commit to wait for; see `submit`.
            if read.read > 0 { piece.finish(outcome) }
        }
        if report.rejectedCount > 0, start >= rejectedUpTo {
            copy(report, bytes.prefix(length), from: start, &rejected)
        }
        rejectedUpTo = max(rejectedUpTo, readOffset)
        let batches = sink.take()
        batches.last?.position = end
        return Prepared(batches: batches, piece: piece)
    }

    private func copy(
        _ report: IntakeReport, _ bytes: ArraySlice<UInt8>, from start: Int64,
        _ rejected: inout RejectedLines
    ) {
        var rejections = report.rejections[...]
        var line = 1
        var at = bytes.startIndex
        while at < bytes.endIndex, !rejections.isEmpty {
            let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            while let first = rejections.first, first.line <= line {
                rejected.add(
                    path: path, offset: start + Int64(at - bytes.startIndex),
                    text: bytes[at..<end], first, unixNanos: services.time.unixNanos)
                rejections = rejections.dropFirst()
            }
            at = end + 1
            line += 1
        }
        if !rejected.write() {
            services.log.warn(
                "cannot copy rejected lines to \(RejectedLines.name)", ("path", path))
        }
    }

    private func submit(_ prepared: Prepared) {
        pending = prepared.piece
        guard prepared.batches.isEmpty else {
            services.queue.submit(together: prepared.batches)
            return
        }
        // Nothing but blank or bad lines: the position commits alone.
        let piece = prepared.piece
        let time = services.time
        services.write { database throws(SQLiteError) in
            try TailPositions.write(piece.end, in: database, now: time.unixNanos)
        } completion: { isDurable in
            var outcome = Receipt.Outcome()
            if !isDurable { outcome.failure = .storeUnwritable(message: "") }
            piece.finish(outcome)
        }
    }
}

// The first bytes of a file tell whether it is still the one that was read.
extension TailedFile {
    /// A change that is younger may be followed by another one with the same time.
    private static let changeNanos: Int64 = 2_000_000_000

    /// A file that grew is always looked at; one of the same size when something changed it.
    private func headIsSame(_ status: ReadableFile.Status) -> Bool {
        let isChanged = status.size > readOffset || status.changedNanos != changeSeen
        guard position.headBytes > 0, isChanged else { return true }
        guard head(size: Int64(position.headBytes)).hash == position.headHash else { return false }
        // A piece under way has more first bytes to compare once it is committed.
        let isOver = status.changedNanos + Self.changeNanos < services.time.unixNanos
        if isOver, pending == nil { changeSeen = status.changedNanos }
        return true
    }

    private func head(size: Int64) -> (hash: UInt64, bytes: Int) {
        Self.head(of: file, bytesMax: Int(min(Int64(Self.headBytesMax), size)))
    }

    static func head(
        of file: borrowing ReadableFile, bytesMax: Int
    ) -> (hash: UInt64, bytes: Int) {
        var bytes: [UInt8] = []
        _ = file.read(bytesMax, at: 0, into: &bytes)
        return (hash(bytes), bytes.count)
    }

    /// FNV-1a, which never changes: it is stored.
    static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// What gzip begins with: a finished file under a name that does not say so.
    static func isCompressed(_ file: borrowing ReadableFile) -> Bool {
        var bytes: [UInt8] = []
        return file.read(2, at: 0, into: &bytes) && bytes == [0x1f, 0x8b]
    }
}
