// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import JSON
import Machine
import Network
import OptionSyntax

extension QMPCommands {
  private static let admission: SchemaType = .enumeration(["normal", "none", "all"])

  private static let receiveFilter: SchemaType = .members(
    .required("name", .string), .required("promiscuous", .boolean), .required("multicast", admission),
    .required("unicast", admission), .required("vlan", admission), .required("broadcast-allowed", .boolean),
    .required("multicast-overflow", .boolean), .required("unicast-overflow", .boolean),
    .required("main-mac", .string),
    .required("vlan-table", .array(.integer)), .required("unicast-table", .array(.string)),
    .required("multicast-table", .array(.string)))

  /// Network cards and back ends.
  static let network: [QMPCommand] = [
    .action("set_link", [.required("name", .string), .required("up", .boolean)]) {
      (arguments, context) throws(QMPError) in
      do throws(MachineError) {
        try context.machine.setNetworkLink(arguments.text("name"), isUp: arguments["up"]?.bool ?? true)
      } catch { throw QMPError("\(error)", class: .deviceNotFound) }
    },
    QMPCommand("query-rx-filter", [.optional("name", .string)], returns: .array(receiveFilter)) {
      (arguments, context) throws(QMPError) in
      do throws(MachineError) {
        return .array(
          try context.machine.receiveFilters(of: arguments["name"]?.string).map { name, filter in
            describe(filter, name: name)
          })
      } catch { throw QMPError(error) }
    },
    .action(
      "netdev_add",
      Structure(
        [
          .required("type", .enumeration(NetworkBackEndConfiguration.typeNames)), .required("id", .string),
        ], isOpen: true)
    ) { (arguments, context) throws(QMPError) in
      func add(_ members: [JSONValue.Member]) throws {
        var list = try PropertyList(flattening: .object(members), option: "netdev_add")
        let (type, id) = (list.take("type") ?? "", list.take("id") ?? "")
        let configuration = try NetworkBackEndConfiguration(type: type, id: id, &list)
        try list.finish()
        try context.machine.addNetworkBackEnd(configuration)
      }
      do {
        // A descriptor may have come over the monitor (getfd).
        guard let name = arguments["fd"]?.string, DescriptorSets.current.has(name) else {
          return try add(arguments.members)
        }
        _ = try DescriptorSets.current.lend(name) { descriptor in
          try add(
            arguments.members.filter { $0.name != "fd" } + [.init("fd", JSONValue(Int(descriptor)))])
        }
      } catch { throw QMPError(error) }
    },
    .action("netdev_del", [.required("id", .string)]) { (arguments, context) throws(QMPError) in
      do throws(MachineError) { try context.machine.removeNetworkBackEnd(arguments.text("id")) } catch {
        throw QMPError("\(error)", class: .deviceNotFound)
      }
    },
  ]

  private static func describe(_ filter: ReceiveFilter, name: String) -> JSONValue {
    [
      "name": .string(name), "promiscuous": .bool(filter.isPromiscuous),
      "multicast": .string(filter.multicast.rawValue), "unicast": .string(filter.unicast.rawValue),
      "vlan": .string(filter.vlan.rawValue), "broadcast-allowed": .bool(filter.broadcastAllowed),
      "multicast-overflow": .bool(filter.multicastOverflow), "unicast-overflow": .bool(false),
      "main-mac": .string("\(filter.address)"),
      "vlan-table": .array(filter.vlanTable.map { .integer(Int64($0)) }),
      "unicast-table": .array(filter.unicastTable.map { .string("\($0)") }),
      "multicast-table": .array(filter.multicastTable.map { .string("\($0)") }),
    ]
  }
}
