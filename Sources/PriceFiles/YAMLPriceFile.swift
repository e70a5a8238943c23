public import Pricing
internal import Usage
internal import Wire
internal import YAML

// A price file of ours: a list of rows, on its own or under `prices`.
//
//     prices:
//       - provider: openai
//         model: gpt-4o-mini
//         valid_from: 2026-01-01        # the day or moment from which it holds
//         valid_to: 2026-06-30          # its last day, or the moment at which it ends
//         input_usd_per_mtok: 0.15      # dollars per million tokens, as price pages say it
//         cached_input_usd_per_mtok: 0.075
//         output_usd_per_mtok: 0.60

/// Reads price files in YAML. Unknown keys, bad rates and missing names are faults.
public enum YAMLPriceFile {
    public static let rowsMax = 20_000

    public static func read(_ bytes: [UInt8], name: String) -> PriceList {
        var list = PriceList(name: name)
        do throws(YAMLError) {
            let root = try YAMLDocument.read(bytes)
            var rows = root
            if case .mapping(let entries) = root.content {
                for entry in entries where entry.key != "prices" {
                    list.faults.append(
                        fault(name, entry.keyMark, key: entry.key, "unknown key; there is prices"))
                }
                guard let prices = entries.first(where: { $0.key == "prices" }) else {
                    list.faults.append(
                        fault(name, root.mark, "has no prices; write a list of rows under prices"))
                    return list
                }
                rows = prices.value
            }
            guard case .sequence(let items) = rows.content, items.count <= rowsMax else {
                list.faults.append(
                    fault(name, rows.mark, "must be a list of at most \(rowsMax) rows"))
                return list
            }
            for item in items { readRow(item, into: &list) }
        } catch {
            list.faults.append(fault(name, error.mark, error.message))
        }
        return list
    }

    private static func fault(
        _ file: String, _ mark: YAMLMark, model: String = "", key: String = "", _ message: String,
        isWarning: Bool = false
    ) -> PriceFault {
        PriceFault(
            file: "\(file):\(mark.line):\(mark.column)", model: model, key: key, message: message,
            isWarning: isWarning)
    }

    private static func readRow(_ node: YAMLNode, into list: inout PriceList) {
        guard case .mapping(let entries) = node.content else {
            list.faults.append(
                fault(list.name, node.mark, "must be a mapping of keys; got \(node.kindName)"))
            return
        }
        var fields: [PriceFields.Field] = []
        var marks: [String: YAMLMark] = [:]
        for entry in entries {
            guard case .scalar(let text, _) = entry.value.content else {
                list.faults.append(
                    fault(
                        list.name, entry.value.mark, key: entry.key,
                        "must be a single value; got \(entry.value.kindName)"))
                return
            }
            marks[entry.key] = entry.keyMark
            fields.append(PriceFields.Field(entry.key, entry.value.isNull ? "" : text))
        }
        let reading = PriceFields.read(fields)
        for problem in reading.problems {
            list.faults.append(
                fault(
                    list.name, marks[problem.key] ?? node.mark, model: reading.name,
                    key: problem.key, problem.message, isWarning: problem.isWarning))
        }
        if let row = reading.row { list.rows.append(row) }
    }
}
