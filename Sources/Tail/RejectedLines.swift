internal import Files
internal import Intake
internal import Wire

/// Copies of lines that were not taken, each with its place and the reason, as JSON a line in
/// `rejected.ndjson` of the data directory.
struct RejectedLines: ~Copyable {
    static let name = "rejected.ndjson"
    /// Then the file becomes `rejected.ndjson.1`.
    static let fileBytesMax = 16 << 20
    /// More of a line is cut off.
    static let lineBytesMax = 65_536

    private let log: BoundedLog
    private var pending: [UInt8] = []

    init(directory: String, fileBytesMax: Int = Self.fileBytesMax) {
        log = BoundedLog(path: directory + "/" + Self.name, bytesMax: fileBytesMax)
    }

    mutating func add(
        path: String, offset: Int64, text: ArraySlice<UInt8>, _ rejection: Rejection,
        unixNanos: Int64
    ) {
        pending.append("{\"time\":" as StaticString)
        pending.appendJSONString(RFC3339.text(unixNanos: unixNanos))
        pending.append(",\"path\":" as StaticString)
        pending.appendJSONString(path)
        pending.append(",\"offset\":" as StaticString)
        pending.appendDecimal(offset)
        pending.append(",\"field\":" as StaticString)
        pending.appendJSONString(rejection.field)
        pending.append(",\"reason\":" as StaticString)
        pending.appendJSONString(rejection.reason.rawValue)
        pending.append(",\"message\":" as StaticString)
        pending.appendJSONString(rejection.message)
        pending.append(",\"line\":" as StaticString)
        // Bytes that are not UTF-8 become U+FFFD.
        pending.appendJSONString(Array(text.prefix(Self.lineBytesMax)).text)
        pending.append("}\n" as StaticString)
    }

    /// False when the disk refused; what was added is dropped either way.
    mutating func write() -> Bool {
        defer { pending.removeAll() }
        return log.append(pending)
    }
}
