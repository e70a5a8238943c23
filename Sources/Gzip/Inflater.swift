import CZlib

/// Why compressed bytes could not be inflated.
public enum GzipError: Error, Equatable, CustomStringConvertible {
    case corrupt(message: String)
    /// The stream ends before its trailer.
    case truncated
    /// More than this many bytes came out: a bomb, or a body over the limit.
    case tooLarge(limit: Int)
    case outOfMemory

    public var description: String {
        switch self {
        case .corrupt(let message): "cannot inflate: \(message)"
        case .truncated: "cannot inflate: the stream ends early"
        case .tooLarge(let limit): "cannot inflate: more than \(limit) bytes come out"
        case .outOfMemory: "cannot inflate: out of memory"
        }
    }
}

public enum Inflater {
    /// Appends what `input` holds to `output`. Gzip (RFC 1952, also several members in a row) and
    /// zlib streams (RFC 1950, what HTTP calls deflate) are told apart by their header.
    ///
    /// `output` grows by at most `limit` bytes.
    public static func inflate(
        _ input: Span<UInt8>, into output: inout [UInt8], limit: Int
    ) throws(GzipError) {
        var stream = unsafe z_stream()
        // 15 bits of window, 32 added: detect the header.
        guard unsafe costgauge_inflate_init(&stream, 15 + 32) == Z_OK else { throw .outOfMemory }
        defer { unsafe inflateEnd(&stream) }
        let start = output.count
        var outcome: Result<Void, GzipError> = .success(())
        unsafe input.withUnsafeBufferPointer { bytes in
            // zlib does not write through next_in; its type lacks the const.
            unsafe stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
            unsafe stream.avail_in = UInt32(bytes.count)
            outcome = unsafe pump(&stream, into: &output, start: start, limit: limit)
        }
        try outcome.get()
    }

    private static func pump(
        _ stream: inout z_stream, into output: inout [UInt8], start: Int, limit: Int
    ) -> Result<Void, GzipError> {
        while true {
            let produced = output.count - start
            // One byte over the limit is asked for, so that reaching it exactly still succeeds.
            let room = min(64 * 1024, limit - produced + 1)
            guard room > 0 else { return .failure(.tooLarge(limit: limit)) }
            var code = Z_OK
            unsafe output.append(addingCapacity: room) { destination in
                unsafe stream.next_out = destination.baseAddress
                unsafe stream.avail_out = UInt32(room)
                code = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
                return unsafe room - Int(stream.avail_out)
            }
            guard output.count - start <= limit else { return .failure(.tooLarge(limit: limit)) }
            switch code {
            case Z_OK: continue
            case Z_STREAM_END:
                if unsafe stream.avail_in == 0 { return .success(()) }
                // Another member follows; zeros after the last one are padding.
                guard unsafe stream.next_in.pointee != 0 else { return .success(()) }
                guard unsafe inflateReset(&stream) == Z_OK else { return .failure(.outOfMemory) }
            case Z_BUF_ERROR:
                if unsafe stream.avail_in == 0 { return .failure(.truncated) }
            case Z_MEM_ERROR: return .failure(.outOfMemory)
            default:
                let message = unsafe stream.msg.map { unsafe String(cString: $0) } ?? "code \(code)"
                return .failure(.corrupt(message: message))
            }
        }
    }
}

extension [UInt8] {
    /// Lends `capacity` bytes past the end; `body` answers how many it wrote.
    mutating func append(
        addingCapacity capacity: Int, _ body: (UnsafeMutableBufferPointer<UInt8>) -> Int
    ) {
        let tail = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = unsafe body(buffer)
        }
        append(contentsOf: tail)
    }
}
