// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import JSON
import Machine

extension QMPCommands {
  private static let set = SchemaType.members(
    .required("fdset-id", .integer),
    .required("fds", .array(.members(.required("fd", .integer), .optional("opaque", .string)))))

  /// Descriptors that clients pass over the monitor's socket.
  static let descriptors: [QMPCommand] = [
    QMPCommand(
      "add-fd", [.optional("fdset-id", .integer), .optional("opaque", .string)],
      returns: .members(.required("fdset-id", .integer), .required("fd", .integer))
    ) { (arguments, context) throws(QMPError) in
      let descriptor = try received(context)
      do {
        var number: Int?
        if arguments["fdset-id"] != nil {
          number = try arguments.integer("fdset-id", as: Int.self)
          guard let number, (0...Int(Int32.max)).contains(number) else {
            throw QMPError("Parameter 'fdset-id' expects a non-negative value")
          }
        }
        let set = try DescriptorSets.current.add(
          descriptor, to: number, opaque: arguments["opaque"]?.string)
        return ["fd": JSONValue(Int(descriptor)), "fdset-id": JSONValue(set)]
      } catch let error as QMPError {
        close(descriptor)
        throw error
      } catch { throw QMPError(error) }
    },
    .action("remove-fd", [.required("fdset-id", .integer), .optional("fd", .integer)]) {
      (arguments, _) throws(QMPError) in
      let set: Int = try arguments.require("fdset-id")
      let descriptor: Int32? = try arguments.integer("fd")
      do throws(DescriptorSets.Failure) {
        try DescriptorSets.current.remove(set: set, descriptor: descriptor)
      } catch { throw QMPError(error) }
    },
    QMPCommand("query-fdsets", returns: .array(set)) { _, _ in
      .array(
        DescriptorSets.current.all.map { set in
          let members = set.members.map { member in
            JSONValue.object(
              [.init("fd", JSONValue(Int(member.descriptor)))]
                + (member.opaque.map { [.init("opaque", .string($0))] } ?? []))
          }
          return ["fds": .array(members), "fdset-id": JSONValue(set.number)]
        })
    },
    .action("getfd", [.required("fdname", .string)]) { (arguments, context) throws(QMPError) in
      let descriptor = try received(context)
      let name = arguments.text("fdname")
      guard let first = name.utf8.first, !(0x30...0x39).contains(first), name.utf8.count <= 255 else {
        close(descriptor)
        throw QMPError("Parameter 'fdname' expects a name not starting with a digit")
      }
      do throws(DescriptorSets.Failure) { try DescriptorSets.current.keep(descriptor, as: name) } catch {
        throw QMPError(error)
      }
    },
    .action("closefd", [.required("fdname", .string)]) { (arguments, _) throws(QMPError) in
      let name = arguments.text("fdname")
      guard let descriptor = DescriptorSets.current.take(name) else {
        throw QMPError("File descriptor named '\(name)' not found")
      }
      close(descriptor)
    },
  ]

  private static func received(_ context: QMPContext) throws(QMPError) -> Int32 {
    guard let descriptor = context.session.takeDescriptor() else {
      throw QMPError("No file descriptor supplied via SCM_RIGHTS")
    }
    return descriptor
  }
}
