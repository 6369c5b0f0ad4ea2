"""The public HTTPS entry: certificate, load balancer with its logs, and the firewall in front of it."""

from datetime import timedelta
from typing import Any, NamedTuple

from troposphere import GetAtt, Ref
from troposphere.certificatemanager import Certificate, DomainValidationOption
from troposphere.elasticloadbalancingv2 import (
    Action,
    Listener,
    ListenerAttribute,
    LoadBalancer,
    LoadBalancerAttributes,
)
from troposphere.elasticloadbalancingv2 import Certificate as EntryCertificate
from troposphere.s3 import Bucket, BucketPolicy

from compiler import names, policy
from compiler.buckets import log_bucket, objects, whole
from compiler.component import Component, Export
from compiler.components.api import ApiExports
from compiler.components.network import NetworkExports
from compiler.components.security import SecurityExports
from compiler.firewall import firewall
from compiler.target_group import target_group
from schemas.migration import Migration

_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
_TWO_YEARS = 2 * 365 * 86_400


class LoadBalancerExports(NamedTuple):
    """Where the traffic goes in, and the names its metrics bear."""

    dns_name: Export
    hosted_zone: Export
    full_name: Export
    listener: Export
    target_group_full_name: Export
    certificate: Export
    access_logs: Export


def load_balancer(
    migration: Migration, network: NetworkExports, security: SecurityExports, api: ApiExports
) -> tuple[Component, LoadBalancerExports]:
    """Build the public entry."""
    component = Component("LoadBalancer", "The public HTTPS entry and its firewall.", names.tags(migration))
    certificate = component.add(
        Certificate(
            "Certificate",
            DomainName=migration.routing.record,
            ValidationMethod="DNS",
            DomainValidationOptions=[
                DomainValidationOption(DomainName=migration.routing.record, HostedZoneId=migration.routing.hosted_zone)
            ],
        ),
        "routing.record",
        DomainName="routing.record",
        DomainValidationOptions="routing.hosted_zone routing.record",
    )
    bucket, delivery = _log_bucket(component, migration)
    balancer = component.add(
        LoadBalancer(
            "LoadBalancer",
            Type="application",
            Scheme="internet-facing",
            Subnets=component.use(network.public_subnets),
            SecurityGroups=[component.use(security.load_balancer_group)],
            LoadBalancerAttributes=_attributes(migration, bucket),
            DependsOn=delivery.title,
        ),
        "load_balancer",
        LoadBalancerAttributes="load_balancer.deletion_protection",
    )
    target = target_group(component, component.use(api.alias), "api")
    listener = component.add(
        Listener(
            "Listener",
            LoadBalancerArn=Ref(balancer),
            Port=443,
            Protocol="HTTPS",
            SslPolicy=_TLS_POLICY,
            Certificates=[EntryCertificate(CertificateArn=Ref(certificate))],
            DefaultActions=[Action(Type="forward", TargetGroupArn=Ref(target))],
            ListenerAttributes=[
                ListenerAttribute(
                    Key="routing.http.response.strict_transport_security.header_value", Value=f"max-age={_TWO_YEARS}"
                ),
                ListenerAttribute(Key="routing.http.response.server.enabled", Value="false"),
            ],
        ),
        "load_balancer",
    )
    firewall(component, migration, balancer=Ref(balancer), logs_key=component.use(network.logs_key))
    return component, LoadBalancerExports(
        dns_name=component.offer("DnsName", GetAtt(balancer, "DNSName")),
        hosted_zone=component.offer("HostedZoneId", GetAtt(balancer, "CanonicalHostedZoneID")),
        full_name=component.offer("FullName", GetAtt(balancer, "LoadBalancerFullName")),
        listener=component.offer("ListenerArn", Ref(listener)),
        target_group_full_name=component.offer("TargetGroupFullName", GetAtt(target, "TargetGroupFullName")),
        certificate=component.offer("CertificateArn", Ref(certificate)),
        access_logs=component.offer("AccessLogsArn", GetAtt(bucket, "Arn")),
    )


def _attributes(migration: Migration, bucket: Bucket) -> list[LoadBalancerAttributes]:
    values: dict[str, Any] = {
        "access_logs.s3.bucket": Ref(bucket),
        "access_logs.s3.enabled": "true",
        "deletion_protection.enabled": str(migration.load_balancer.deletion_protection).lower(),
        "routing.http.desync_mitigation_mode": "strictest",
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }
    return [LoadBalancerAttributes(Key=key, Value=value) for key, value in values.items()]


def _log_bucket(component: Component, migration: Migration) -> tuple[Bucket, BucketPolicy]:
    cause = "load_balancer.access_logs"
    # Access logs can be delivered under no encryption but S3's own.
    bucket = log_bucket(
        component, "AccessLogs", cause=cause, days=migration.load_balancer.access_logs // timedelta(days=1)
    )
    deliver = policy.allow("s3:PutObject", objects(bucket, "AWSLogs/${AWS::AccountId}/"))
    delivery = component.add(
        BucketPolicy(
            "AccessLogsPolicy",
            Bucket=Ref(bucket),
            PolicyDocument=policy.document(
                {**deliver, "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}},
                policy.tls_only(*whole(bucket)),
            ),
        ),
        cause,
    )
    return bucket, delivery
