internal import Pricing
internal import Usage

/// A bill for people: a line per kind, then what applied to all of it.
enum BillText {
    static func text(_ answer: PriceCase.Answer, book: PriceBook) -> String {
        let bill = answer.bill
        var table = [["kind", "quantity", "rate", "cost", "rule"]]
        for line in bill.lines {
            table.append([
                line.kind.word, line.quantity, rate(line), "$" + line.usd.decimal, line.rule,
            ])
        }
        var text = aligned(table)
        for surcharge in bill.surcharges {
            text += "times \(surcharge.factor.decimal) for \(cause(surcharge.cause))\n"
        }
        let total = bill.total ?? .zero
        text += "total $\(total.decimal)"
        if let nanos = total.rounded { text += ", booked as $\(nanos.decimal)" }
        if bill.flags.contains(Bill.searchWithoutPrice) {
            text += " and marked as estimated: there is no price for its web searches"
        }
        text += "\n"
        if let row = answer.row {
            let origin =
                book.origins.indices.contains(row.origin) ? book.origins[row.origin].name : ""
            text += "row \(row.key) of \(row.provider), list \(origin)"
            if let match = answer.match { text += ", found by \(match.rule.rawValue)" }
            text += "\n"
        }
        for flag in bill.flags { text += "note: \(flag)\n" }
        return text
    }

    /// Tokens by the million, as price pages have it.
    private static func rate(_ line: Bill.Line) -> String {
        guard line.kind.isToken, let million = line.rate.times(1_000_000) else {
            return "$\(line.rate.decimal) each"
        }
        return "$\(million.decimal)/M"
    }

    private static func cause(_ cause: PriceRow.Surcharge.Cause) -> String {
        switch cause {
        case .residency(let region): "data residency in \(region)"
        case .regionalEndpoint: "a regional endpoint"
        case .provider("fast"): "fast mode"
        case .provider(let region): "inference in \(region)"
        }
    }

    private static func aligned(_ table: [[String]]) -> String {
        let widths = (0..<5).map { column in table.map { $0[column].utf8.count }.max() ?? 0 }
        return table.map { cells in
            let padded = zip(cells, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.utf8.count)
            }
            var line = padded.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    static func reason(_ unpriced: Unpriced, _ call: PriceCase) -> String {
        let model = "model \"\(call.model)\""
        let of = call.provider.isEmpty ? model : "\(model) of provider \"\(call.provider)\""
        return switch unpriced {
        case .unknownModel: "no list has a row for \(of) at that time"
        case .noRate(let kind): "the row of \(of) has no rate for \(kind.word)"
        case .unitMissing(let kind): "\(of) is billed by the \(kind.word), of which there is none"
        case .outOfRange: "the amount is past $1,000,000"
        }
    }
}
