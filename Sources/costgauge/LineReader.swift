internal import Glibc

/// Reads a file, or standard input, in chunks of whole lines.
struct LineReader: ~Copyable {
    static let chunkLines = 5000
    static let chunkBytes = 4 << 20
    /// Longer ones are skipped: no event fills them.
    static let lineBytesMax = 1 << 20

    private let file: Int32
    private let name: String
    private var buffer: [UInt8] = []
    private var hasEnded = false
    private var isSkipping = false
    private var line = 1

    init(_ name: String) throws(IngestError) {
        self.name = name
        if name == "-" {
            file = STDIN_FILENO
            return
        }
        file = unsafe open(name, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Self.unreadable(name) }
    }

    /// Without opening it: a pipe has one reader.
    static func check(_ name: String) throws(IngestError) {
        if name != "-", unsafe access(name, R_OK) != 0 { throw unreadable(name) }
    }

    private static func unreadable(_ name: String) -> IngestError {
        IngestError(
            description: "\(name): cannot read it: \(unsafe String(cString: strerror(errno)))")
    }

    deinit { if file != STDIN_FILENO { close(file) } }

    /// Bytes of all files together; nil when one has no size of its own.
    static func size(of names: [String]) -> Int64? {
        var total: Int64 = 0
        for name in names {
            var status = stat()
            guard name != "-", unsafe stat(name, &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { return nil }
            total += Int64(status.st_size)
        }
        return total
    }

    enum Piece {
        /// Whole lines and the number of the first.
        case lines([UInt8], first: Int)
        /// A line that no event can fill, skipped.
        case tooLong(line: Int)
    }

    /// Nil at the end.
    mutating func next() throws(IngestError) -> Piece? {
        while true {
            if isSkipping { skip() }
            if let end = chunkEnd() {
                let chunk = Array(buffer[..<end.offset])
                buffer.removeFirst(end.offset)
                let first = line
                line += end.lines
                return .lines(chunk, first: first)
            }
            if hasEnded { return nil }
            if buffer.count > Self.lineBytesMax, !buffer.contains(UInt8(ascii: "\n")) {
                isSkipping = true
                line += 1
                return .tooLong(line: line - 1)
            }
            try fill()
        }
    }

    /// Drops what is there of a line that is too long.
    private mutating func skip() {
        guard let end = buffer.firstIndex(of: UInt8(ascii: "\n")) else { return buffer.removeAll() }
        buffer.removeFirst(end + 1)
        isSkipping = false
    }

    /// Where the next chunk ends; nil while more must be read.
    private func chunkEnd() -> (offset: Int, lines: Int)? {
        guard !isSkipping else { return nil }
        var lines = 0
        var end = 0
        for index in buffer.indices where buffer[index] == UInt8(ascii: "\n") {
            if index >= Self.chunkBytes, lines > 0 { return (end, lines) }
            lines += 1
            end = index + 1
            if lines == Self.chunkLines { return (end, lines) }
        }
        // What follows is perhaps too long for a line.
        if lines > 0, buffer.count - end > Self.lineBytesMax { return (end, lines) }
        guard hasEnded, !buffer.isEmpty else { return nil }
        return (buffer.count, lines + (end < buffer.count ? 1 : 0))
    }

    private mutating func fill() throws(IngestError) {
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: 1 << 20))
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe read(file, bytes.baseAddress.map { unsafe $0 + start }, 1 << 20)
        }
        buffer.removeLast((1 << 20) - max(count, 0))
        if count < 0, errno != EINTR { throw Self.unreadable(name) }
        if count == 0 { hasEnded = true }
        if line == 1, buffer.starts(with: [0x1f, 0x8b]) {
            throw IngestError(
                description:
                    "\(name): is compressed with gzip; load what zcat makes of it, with - as the file"
            )
        }
    }
}
