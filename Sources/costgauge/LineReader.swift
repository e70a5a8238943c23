internal import Glibc

/// Reads a file, or standard input, in chunks of whole lines.
struct LineReader: ~Copyable {
    static let chunkLines = 5000
    static let chunkBytes = 4 << 20
    /// No event is longer.
    static let lineBytesMax = 1 << 20

    private let file: Int32
    private let name: String
    private var buffer: [UInt8] = []
    private var hasEnded = false
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

    /// The next lines and the number of the first; nil at the end.
    mutating func next() throws(IngestError) -> (chunk: [UInt8], line: Int)? {
        while true {
            if let end = chunkEnd() {
                let chunk = Array(buffer[..<end.offset])
                buffer.removeFirst(end.offset)
                let first = line
                line += end.lines
                return (chunk, first)
            }
            if hasEnded { return nil }
            guard buffer.count <= Self.chunkBytes + Self.lineBytesMax else {
                throw IngestError(
                    description:
                        "\(name):\(line): the line has more than \(Self.lineBytesMax) bytes")
            }
            try fill()
        }
    }

    /// Where the next chunk ends; nil while more must be read.
    private func chunkEnd() -> (offset: Int, lines: Int)? {
        var lines = 0
        var end = 0
        for index in buffer.indices where buffer[index] == UInt8(ascii: "\n") {
            if index >= Self.chunkBytes, lines > 0 { return (end, lines) }
            lines += 1
            end = index + 1
            if lines == Self.chunkLines { return (end, lines) }
        }
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
