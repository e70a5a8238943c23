public import Usage
internal import Wire

/// Amounts as people write them: `$92.10`, `$1,204.50`, `$0.0042`.
public enum MoneyText {
    /// Cents, rounded half up; below one cent as many digits as two figures need.
    public static func dollars(_ amount: NanoUSD) -> String {
        let sign = amount.nanos < 0 ? "-" : ""
        let nanos = amount.nanos.magnitude
        if nanos > 0, nanos < 10_000_000 { return sign + "$" + small(nanos) }
        let cents = (nanos + 5_000_000) / 10_000_000
        let fraction = cents % 100
        return sign + "$" + grouped(cents / 100) + "." + (fraction < 10 ? "0" : "") + "\(fraction)"
    }

    /// Whole dollars from ten on, for figures that are guesses anyway.
    public static func rough(_ amount: NanoUSD) -> String {
        guard amount.nanos >= 10_000_000_000 else { return dollars(amount) }
        return "$" + grouped((amount.nanos.magnitude + 500_000_000) / 1_000_000_000)
    }

    private static func small(_ nanos: UInt64) -> String {
        var unit: UInt64 = 1
        while nanos >= unit * 100 { unit *= 10 }
        let rounded = (nanos + unit / 2) / unit * unit
        var bytes: [UInt8] = []
        FixedPoint.append(Int64(rounded), scale: NanoUSD.scale, to: &bytes)
        return bytes.text
    }

    private static func grouped(_ number: UInt64) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
