internal import Glibc

/// Why a time zone cannot be used.
public enum ZoneError: Error, Equatable, CustomStringConvertible {
    case unknown(String)
    case malformed(String)

    public var description: String {
        switch self {
        case .unknown(let name):
            "\"\(name)\" is not a time zone of this machine; write an IANA name such as "
                + "Europe/Berlin (Debian's package tzdata holds them)"
        case .malformed(let name): "the time zone file of \"\(name)\" cannot be read"
        }
    }
}

/// An IANA time zone: from Unix time to local time and back.
///
/// The system's files are read (TZif, RFC 8536): a table of transitions and a rule for the years
/// after them. Local times are seconds since 1970-01-01 00:00 on the local clock.
public struct Zone: Equatable, Sendable {
    public let name: String
    /// Unix times at which the offset changes, ascending, and the offset from then on.
    private let transitions: [Int64]
    private let offsets: [Int32]
    /// Before the first transition.
    private let firstOffset: Int32
    /// After the last transition.
    private let rule: ZoneRule?

    public static let utc = Zone(
        name: "UTC", transitions: [], offsets: [], firstOffset: 0, rule: nil)

    init(
        name: String, transitions: [Int64], offsets: [Int32], firstOffset: Int32, rule: ZoneRule?
    ) {
        self.name = name
        self.transitions = transitions
        self.offsets = offsets
        self.firstOffset = firstOffset
        self.rule = rule
    }

    /// Reads a zone of the machine. `UTC` needs no file.
    public init(
        named name: String, directory: String = "/usr/share/zoneinfo"
    ) throws(ZoneError) {
        if name == "UTC" || name == "Etc/UTC" {
            self = .utc
            return
        }
        // Letters, digits and the signs that zone names use: no way out of the directory.
        let isLegal =
            !name.isEmpty && name.utf8.count <= 64
            && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                            || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_")
                            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
                    }
            }
        guard isLegal, let bytes = Self.content(of: directory + "/" + name) else {
            throw .unknown(name)
        }
        guard let zone = TZif.read(bytes, name: name) else { throw .malformed(name) }
        self = zone
    }

    private static func content(of path: String) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = unsafe read(file, &bytes, bytes.count)
        return count > 0 && count < bytes.count ? Array(bytes.prefix(count)) : nil
    }

    /// Seconds that the local clock is ahead of UTC.
    public func offset(at unixSeconds: Int64) -> Int64 {
        guard let last = transitions.last, let first = transitions.first else {
            return rule?.offset(at: unixSeconds) ?? Int64(firstOffset)
        }
        if unixSeconds < first { return Int64(firstOffset) }
        if unixSeconds >= last, let rule { return rule.offset(at: unixSeconds) }
        // The last transition at or before the moment.
        var low = 0
        var high = transitions.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if transitions[middle] <= unixSeconds { low = middle } else { high = middle }
        }
        return Int64(offsets[low])
    }

    public func local(_ unixSeconds: Int64) -> Int64 { unixSeconds + offset(at: unixSeconds) }

    /// The moment at which the local clock shows this time. Of a time that comes twice, the first;
    /// for one that is left out in spring, the moment of the change.
    public func unixSeconds(local: Int64) -> Int64 {
        // Offsets a day before and after are the only ones that can be in force.
        let before = offset(at: local - offset(at: local - 86_400) - 86_400)
        let after = offset(at: local - offset(at: local + 86_400) + 86_400)
        let candidates = [local - max(before, after), local - min(before, after)]
        for candidate in candidates where candidate + offset(at: candidate) == local {
            return candidate
        }
        // Left out: the change lies between the two candidates.
        var low = candidates[0]
        var high = candidates[1]
        let offsetBefore = offset(at: low)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(at: middle) == offsetBefore { low = middle } else { high = middle }
        }
        return high
    }
}
