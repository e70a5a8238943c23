import CZlib

/// Compresses to one gzip member. The stream's state (about 160 KiB) is kept between
/// calls.
@safe
public struct Deflater: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>

    /// `level` from 1 (fast) to 9 (small).
    public init(level: Int32 = 1) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let code = unsafe costgauge_deflate_init(stream, level, 15 + 16)
        precondition(code == Z_OK, "BUG: deflateInit2 answered \(code) for level \(level)")
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Appends `input`, compressed as one complete gzip member, to `output`.
    public mutating func deflate(_ input: Span<UInt8>, into output: inout [UInt8]) {
        unsafe deflateReset(stream)
        let bound = unsafe Int(deflateBound(stream, UInt(input.count)))
        unsafe input.withUnsafeBufferPointer { bytes in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
            unsafe stream.pointee.avail_in = UInt32(bytes.count)
            unsafe output.append(addingCapacity: bound) { destination in
                unsafe stream.pointee.next_out = destination.baseAddress
                unsafe stream.pointee.avail_out = UInt32(bound)
                let code = unsafe CZlib.deflate(stream, Z_FINISH)
                precondition(
                    code == Z_STREAM_END, "BUG: deflate answered \(code) with room for all")
                return unsafe bound - Int(stream.pointee.avail_out)
            }
        }
    }
}

public enum Zlib {
    public static var version: String { unsafe String(cString: zlibVersion()) }
}
