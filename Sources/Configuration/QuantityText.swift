/// Durations as configuration writes them: one number, one unit.
public enum DurationText {
    private static let units: [(name: String, nanos: Int64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ]

    /// `90s` -> 90e9. Nil without a unit, with a fraction, or past Int64.
    public static func nanos(_ text: String) -> Int64? {
        for unit in units where text.hasSuffix(unit.name) {
            let digits = text.dropLast(unit.name.count)
            guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }),
                let count = Int64(digits)
            else { continue }
            let (nanos, overflow) = count.multipliedReportingOverflow(by: unit.nanos)
            return overflow ? nil : nanos
        }
        return nil
    }

    /// In the largest unit that divides it.
    public static func text(_ nanos: Int64) -> String {
        if nanos == 0 { return "0s" }
        let unit = units.last { nanos % $0.nanos == 0 } ?? units[0]
        return "\(nanos / unit.nanos)\(unit.name)"
    }
}

/// Sizes in bytes: `16MiB`, `512KiB`, `1048576`.
public enum SizeText {
    private static let units: [(name: String, bytes: Int)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1),
    ]

    public static func bytes(_ text: String) -> Int? {
        for unit in units where text.hasSuffix(unit.name) {
            let digits = text.dropLast(unit.name.count)
            guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }),
                let count = Int(digits)
            else { continue }
            let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
            return overflow ? nil : bytes
        }
        return nil
    }

    public static func text(_ bytes: Int) -> String {
        let unit = units.prefix(3).last { bytes > 0 && bytes % $0.bytes == 0 }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)"
    }
}
