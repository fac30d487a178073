// The contract, as @grpc/proto-loader reads it from proto/. The types are generated:
// npm run generate.
import { join } from 'node:path';

import { loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

import type { ErrorInfo__Output } from './generated/google/rpc/ErrorInfo';
import type { ProtoGrpcType } from './generated/network';

// Copy that folder into your own tree.
const PROTO = join(__dirname, '../../../../proto');

const definitions = loadSync(
  ['svnet/v1/network.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  // json: a google.protobuf.Any is what it holds, with its type's name in '@type'.
  { includeDirs: [PROTO], longs: Number, enums: String, defaults: true, oneofs: true, json: true },
);

export const { NetworkService } = (loadPackageDefinition(definitions) as unknown as ProtoGrpcType)
  .svnet.v1;

interface Status {
  details: ({ '@type': string } & Partial<ErrorInfo__Output>)[];
}

// Why svnetd refused; undefined if it was not svnetd who did (no svnetd, a deadline).
export function errorInfoOf(error: ServiceError): Partial<ErrorInfo__Output> | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!(bytes instanceof Buffer)) return undefined;
  const type = definitions['google.rpc.Status'] as MessageTypeDefinition<Status, Status>;
  return type
    .deserialize(bytes)
    .details.find(
      (detail) => detail['@type'].endsWith('/google.rpc.ErrorInfo') && detail.domain === 'svnet',
    );
}
